"""What every layer of a model does for one image, from its kernel and its input shape."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import keras

from keras_mlp.layers import (
    ConvNormReLU,
    DistilledHead,
    FFNBlock,
    GroupedDense,
    PermuteMLP,
    PixelNormalization,
    RepMLPBlock,
    SelfAttention,
    SpatialGatingUnit,
    TinyAttention,
)
from keras_mlp.layers.tree import children
from keras_mlp.models import VisionModel
from keras_mlp.models.block import Block
from keras_mlp.typing import Shape

# Stands in a path for the step of a layer that none of the layers inside it takes.
BETWEEN = "between"

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclasses.dataclass(frozen=True)
class Work:
    """What one layer with weights, or one step between tensors, does for one image.

    Attributes:
        path: names of the layers around it and of itself, joined by "/".
        macs: multiply-accumulates of its products.
        results: numbers in its output.
        activations: numbers in the output of the activation function that follows, if any.
        holds: numbers that must exist at once while its product runs: input, output and, inside a
            block, the block's input, which the residual connection needs later; 0 without a
            product.
        number_bytes: bytes of one of these numbers.
        weights: Keras variables of the layer.
    """

    path: str
    macs: int
    results: int
    activations: int
    holds: int
    number_bytes: int
    weights: tuple = ()


def works(model: VisionModel) -> Iterator[Work]:
    """The `Work` of every layer with weights, in the order of the model's layers."""
    for layer in model.layers:
        waits = math.prod(_input_shape(layer)[1:]) if isinstance(layer, Block) else 0
        yield from _works(layer, layer.name, waits)


def tokens(model: VisionModel) -> int:
    """Positions that the first block mixes, class token included."""
    return math.prod(_input_shape(model.blocks[0])[1:-1])


def _works(layer: keras.layers.Layer, path: str, waits: int, times: int = 1) -> Iterator[Work]:
    inside = children(layer)
    if not inside and (layer.weights or isinstance(layer, PixelNormalization)):
        yield _work_of_layer(layer, path, waits, times)
    for child in inside:
        yield from _works(child, f"{path}/{child.name}", waits, times * _times(layer, child))
    if type(layer) in _STEPS:
        step = _STEPS[type(layer)](layer, _input_shape(layer))
        holds = step.holds + waits if step.macs else 0
        number_bytes = _BYTES[layer.compute_dtype]
        yield Work(
            f"{path}/{BETWEEN}", step.macs, step.results, step.activations, holds, number_bytes
        )


def _input_shape(layer: keras.layers.Layer) -> Shape:
    return layer.get_build_config()["input_shape"]


def _output_shape(layer: keras.layers.Layer) -> Shape:
    inputs = keras.KerasTensor(_input_shape(layer), dtype=layer.compute_dtype)
    return tuple(layer.compute_output_spec(inputs).shape)


def _times(layer: keras.layers.Layer, child: keras.layers.Layer) -> int:
    """How often a layer is called on the input that it was built for, for one image."""
    if not isinstance(layer, RepMLPBlock) or child is layer.global_perceptron:
        return 1
    # Partitions and groups of channels are moved to the batch.
    pixels = layer.partition[0] * layer.partition[1]
    return math.prod(_input_shape(layer)[1:]) // (layer.num_sharesets * pixels)


def _work_of_layer(layer: keras.layers.Layer, path: str, waits: int, times: int) -> Work:
    output = _output_shape(layer)
    reads, writes = (times * math.prod(each[1:]) for each in (_input_shape(layer), output))
    macs = times * _kernel_macs(layer, output)
    is_linear = getattr(layer, "activation", None) in (None, keras.activations.linear)
    return Work(
        path,
        macs,
        results=writes,
        activations=0 if is_linear else writes,
        holds=reads + writes + waits if macs else 0,
        number_bytes=_BYTES[layer.compute_dtype],
        weights=tuple(layer.weights),
    )


def _kernel_macs(layer: keras.layers.Layer, output_shape: Shape) -> int:
    """Every number of a kernel is multiplied once at each position of the output."""
    if getattr(layer, "kernel", None) is None:
        return 0
    # The groups of a GroupedDense are not positions: each has numbers of its own.
    positions = 1 if isinstance(layer, GroupedDense) else math.prod(output_shape[1:-1])
    kernels = 2 if isinstance(layer, DistilledHead) else 1
    return kernels * positions * math.prod(layer.kernel.shape)


@dataclasses.dataclass(frozen=True)
class _Step:
    """What a layer does between the layers inside it; attributes as of `Work`."""

    macs: int = 0
    results: int = 0
    activations: int = 0
    holds: int = 0


def _attention(positions: int, channels: int, heads: int) -> _Step:
    """Queries by keys; a softmax, in place; the map by values."""
    maps, values = heads * positions**2, positions * channels
    return _Step(2 * positions**2 * channels, values, maps, 3 * values + maps)


def _gate(layer: keras.layers.Layer, shape: Shape) -> _Step:
    return _Step(results=math.prod(_output_shape(layer)[1:]))


def _fusion(layer: PermuteMLP, shape: Shape) -> _Step:
    """The weighted sum of three branches, and the softmax over them."""
    weights = 3 * shape[-1] if layer.weighted else 0
    return _Step(results=math.prod(shape[1:]), activations=weights)


# What each of these layers does in a step that no layer inside it takes.
_STEPS: dict[type, Callable[..., _Step]] = {
    SelfAttention: lambda layer, shape: _attention(shape[1], shape[2], layer.num_heads),
    TinyAttention: lambda layer, shape: _attention(shape[1], layer.attention_dim, 1),
    SpatialGatingUnit: _gate,
    RepMLPBlock: _gate,
    PermuteMLP: _fusion,
    FFNBlock: lambda layer, shape: _Step(  # GELU
        activations=math.prod(shape[1:-1]) * layer.hidden_dim
    ),
    ConvNormReLU: lambda layer, shape: _Step(  # ReLU
        activations=math.prod(_output_shape(layer)[1:])
    ),
}
