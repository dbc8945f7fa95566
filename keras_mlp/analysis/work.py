"""What every layer of a model does for one image, from its kernel and its input shape."""

import dataclasses
import math

import keras

from keras_mlp.layers import (
    ConvNormReLU,
    FFNBlock,
    GroupedDense,
    PermuteMLP,
    PixelNormalization,
    RepMLPBlock,
    SelfAttention,
    SpatialGatingUnit,
    TinyAttention,
)

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclasses.dataclass(frozen=True)
class Work:
    """What one layer with weights, or one step between tensors, does for one image.

    Attributes:
        path: names of the layers around it and of itself, joined by "/".
        macs: multiply-accumulates of its products.
        results: numbers in its output and, where an activation function follows, in that of it.
        holds: numbers that must exist at once while its product runs: input, output and, inside a
            block, the block's input, which waits for the residual; 0 without a product.
        number_bytes: bytes of one of these numbers.
        weights: Keras variables of the layer.
    """

    path: str
    macs: int
    results: int
    holds: int
    number_bytes: int
    weights: tuple = ()


def works(model):
    """The `Work` of every layer with weights, in the order of the model's layers."""
    for layer in model.layers:
        waits = math.prod(_input_shape(layer)[1:]) if _is_block(layer) else 0
        yield from _works(layer, layer.name, waits)


def tokens(model):
    """Positions that the first block mixes, class token included."""
    block = next(layer for layer in model.layers if _is_block(layer))
    return math.prod(_input_shape(block)[1:-1])


def _works(layer, path, waits, times=1):
    children = _children(layer)
    if not children and (layer.weights or isinstance(layer, PixelNormalization)):
        yield _work_of_layer(layer, path, waits, times)
    for child in children:
        yield from _works(child, f"{path}/{child.name}", waits, times * _times(layer, child))
    if type(layer) in _STEPS:
        macs, results, holds = _STEPS[type(layer)](layer, _input_shape(layer))
        holds = holds + waits if macs else 0
        yield Work(f"{path}/between", macs, results, holds, _BYTES[layer.compute_dtype])


def _children(layer):
    # Keras has no public name for the layers inside a layer.
    return layer._flatten_layers(include_self=False, recursive=False)


def _is_block(layer):
    """Whether a layer of the model is a residual block: made of layers, and keeps the shape."""
    return bool(_children(layer)) and _output_shape(layer) == tuple(_input_shape(layer))


def _input_shape(layer):
    return layer.get_build_config()["input_shape"]


def _output_shape(layer):
    inputs = keras.KerasTensor(_input_shape(layer), dtype=layer.compute_dtype)
    return tuple(layer.compute_output_spec(inputs).shape)


def _times(layer, child):
    """How often a layer is called on the input that it was built for, for one image."""
    if not isinstance(layer, RepMLPBlock) or child is layer.global_perceptron:
        return 1
    # Partitions and groups of channels are moved to the batch.
    pixels = layer.partition[0] * layer.partition[1]
    return math.prod(_input_shape(layer)[1:]) // (layer.num_sharesets * pixels)


def _work_of_layer(layer, path, waits, times):
    output = _output_shape(layer)
    reads, writes = (times * math.prod(each[1:]) for each in (_input_shape(layer), output))
    macs = times * _kernel_macs(layer, output)
    is_linear = getattr(layer, "activation", None) in (None, keras.activations.linear)
    return Work(
        path,
        macs,
        results=writes if is_linear else 2 * writes,
        holds=reads + writes + waits if macs else 0,
        number_bytes=_BYTES[layer.compute_dtype],
        weights=tuple(layer.weights),
    )


def _kernel_macs(layer, output_shape):
    """Every number of a kernel is multiplied once at each position of the output."""
    if getattr(layer, "kernel", None) is None:
        return 0
    # The groups of a GroupedDense are no positions: each has numbers of its own.
    positions = 1 if isinstance(layer, GroupedDense) else math.prod(output_shape[1:-1])
    return positions * math.prod(layer.kernel.shape)


def _attention(positions, channels, heads):
    """Queries by keys; a softmax, in place; the map by values."""
    maps, values = heads * positions**2, positions * channels
    return 2 * positions**2 * channels, maps + values, 3 * values + maps


def _gate(layer, shape):
    return 0, math.prod(_output_shape(layer)[1:]), 0


def _fusion(layer, shape):
    """The weighted sum of three branches, and the softmax over them."""
    return 0, math.prod(shape[1:]) + (3 * shape[-1] if layer.weighted else 0), 0


# Of each layer: (macs, results, holds) of the step inside it that no layer of its own takes.
_STEPS = {
    SelfAttention: lambda layer, shape: _attention(shape[1], shape[2], layer.num_heads),
    TinyAttention: lambda layer, shape: _attention(shape[1], layer.attention_dim, 1),
    SpatialGatingUnit: _gate,
    RepMLPBlock: _gate,
    PermuteMLP: _fusion,
    FFNBlock: lambda layer, shape: (0, math.prod(shape[1:-1]) * layer.hidden_dim, 0),  # GELU
    ConvNormReLU: lambda layer, shape: (0, math.prod(_output_shape(layer)[1:]), 0),  # ReLU
}
