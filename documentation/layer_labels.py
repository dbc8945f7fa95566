"""What a layer is called in a drawing: its kind, its name in the code, and its sizes."""

import textwrap
from collections.abc import Callable
from typing import Any

import keras

from documentation.block_graph import Step
from keras_mlp.layers import MLP, Affine, Dense, FFNBlock, GroupedDense, LayerScale, SelfAttention

_CHARACTER = 6.1  # width of a character of the small text, in pixels
_NO_BREAK = "\N{NO-BREAK SPACE}"

# Layers that mix nothing.
_POINTWISE: dict[type, str] = {
    keras.layers.LayerNormalization: "LayerNorm",
    keras.layers.BatchNormalization: "BatchNorm",
    Affine: "Affine",
    LayerScale: "LayerScale",
}


def is_pointwise(layer: Any) -> bool:
    """Whether a layer mixes neither tokens nor channels."""
    return isinstance(layer, tuple(_POINTWISE))


def label(step: Step, width: int) -> list[tuple[str, str]]:
    """The lines of text of a layer's box.

    Args:
        step: of a layer.
        width: of the box, in pixels.

    Returns:
        Pairs (class of the text in the drawing, text).

    Raises:
        StopIteration: no label is known for the kind of the layer.
    """
    layer, name = step.layer, step.path.rpartition("/")[2]
    for kind, text in _POINTWISE.items():
        if isinstance(layer, kind):
            return [("n", f"{text} over tokens" if step.over_tokens else text)]
    text = _TEXTS[next(kind for kind in _TEXTS if isinstance(layer, kind))](layer)
    lines = textwrap.wrap(text, int(width / _CHARACTER))
    return [("k", name), *(("n", line) for line in lines)]


def _activation(layer: Any) -> str:
    """The activation function of a layer, after its kind."""
    names = {"gelu": "GELU", "gelu_tanh": "GELU", "relu": "ReLU"}
    return f"+{_NO_BREAK}{names[layer.activation.__name__]} " if _is_bent(layer) else ""


def _is_bent(layer: Any) -> bool:
    return layer.activation not in (None, keras.activations.linear)


def _arrows(*widths: int) -> str:
    return f"{_NO_BREAK}→{_NO_BREAK}".join(map(str, widths))


def _mlp(layer: Any) -> str:
    return f"MLP {_arrows(*layer.fc1.kernel.shape, layer.fc2.kernel.shape[-1])}"


def _dense(layer: Any) -> str:
    return f"linear {_activation(layer)}{_arrows(*layer.kernel.shape)}"


def _grouped(layer: Any) -> str:
    groups, *widths = layer.kernel.shape
    return f"{groups}{_NO_BREAK}linear {_arrows(*widths)}"


def _convolution(layer: Any) -> str:
    sides = _NO_BREAK.join([str(layer.kernel_size[0]), "x", str(layer.kernel_size[1])])
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return f"depthwise {sides} {_activation(layer)}"
    return f"conv {sides} {_activation(layer)}{_arrows(*layer.kernel.shape[-2:])}"


_TEXTS: dict[type, Callable[[Any], str]] = {
    SelfAttention: lambda layer: f"self-attention, {layer.num_heads}{_NO_BREAK}heads",
    MLP: _mlp,
    FFNBlock: _mlp,
    Dense: _dense,
    GroupedDense: _grouped,
    keras.layers.DepthwiseConv2D: _convolution,
    keras.layers.Conv2D: _convolution,
}
