"""Other kinds of models to compare with, as plain Keras: two ResNets and an MLP on pixels.

    python -m training.compare --config training/configs/compare_fashion_mnist.py \\
        --workdir runs/comparators --set "architectures=('MLPMixer', \\
        'examples.comparators:bit_resnet', 'examples.comparators:nf_resnet', \\
        'examples.comparators:plain_mlp')"

Write a function like these for a model of your own: it takes `image_shape`, `num_classes` and
arguments with defaults, and returns a Keras model from pixels in [0, 255] to float32 logits.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_mlp.layers import LayerScale
from keras_mlp.typing import Config, ImageShape, Shape, Tensor


@keras.saving.register_keras_serializable("examples")
class StandardizedConv2D(layers.Conv2D):
    """Conv2D whose kernel has mean 0 and variance 1 / fan-in for each filter (arXiv:1903.10520)."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        kernel = ops.convert_to_tensor(kernel)  # JAX's functions refuse variables while they trace
        mean, variance = ops.moments(kernel, axes=(0, 1, 2), keepdims=True)
        fan_in = math.prod(kernel.shape[:3])
        kernel = (kernel - mean) * ops.rsqrt(variance * fan_in + 1e-10)
        return super().convolution_op(inputs, kernel)


def bit_resnet(
    image_shape: ImageShape,
    num_classes: int,
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 2,
    groups: int = 8,
) -> keras.Model:
    """A pre-activation ResNet with GroupNorm and weight standardisation (BiT, arXiv:1912.11370).

    Args:
        image_shape: (H, W, C).
        num_classes: number of logits K.
        widths: channels of each stage; every stage after the first halves the map.
        blocks: number of residual blocks of a stage, two 3 x 3 convolutions each.
        groups: of GroupNorm; divides every width.
    """
    pixels, x = _pixels(image_shape)
    x = _convolution(x, widths[0], 3)
    for stage, width in enumerate(widths):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            y = layers.ReLU()(layers.GroupNormalization(groups)(x))
            if x.shape[-1] != width:
                x = _convolution(y, width, 1, strides=strides)
            y = _convolution(y, width, 3, strides=strides)
            y = layers.ReLU()(layers.GroupNormalization(groups)(y))
            x = layers.Add()([x, _convolution(y, width, 3)])
    x = layers.ReLU()(layers.GroupNormalization(groups)(x))
    return _classifier(pixels, x, num_classes, "bit_resnet")


def nf_resnet(
    image_shape: ImageShape,
    num_classes: int,
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 2,
    alpha: float = 0.2,
) -> keras.Model:
    """A ResNet without normalisation layers (NF-ResNet, Brock et al., arXiv:2101.08692).

    Standardised kernels, each with a learned factor per filter, and scaled ReLUs keep the variance
    of every branch at 1. A block adds `alpha` times its branch, whose input is divided by the
    deviation expected there; the branch starts at zero (SkipInit).

    Args:
        image_shape, num_classes, widths, blocks: as for `bit_resnet`.
        alpha: factor of the branches.
    """
    pixels, x = _pixels(image_shape)
    x = _scaled_convolution(x, widths[0], 3)
    variance = 1.0
    for stage, width in enumerate(widths):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            y = _scaled_relu(x, 1 / math.sqrt(variance))
            if x.shape[-1] != width:
                x = _scaled_convolution(y, width, 1, strides=strides)
                variance = 1.0  # the shortcut starts anew from a normalised input
            y = _scaled_convolution(y, width, 3, strides=strides)
            y = _scaled_convolution(_scaled_relu(y), width, 3)
            x = layers.Add()([x, SkipInit(alpha)(y)])
            variance += alpha**2
    return _classifier(pixels, _scaled_relu(x), num_classes, "nf_resnet")


def plain_mlp(
    image_shape: ImageShape, num_classes: int, widths: Sequence[int] = (192, 192, 192)
) -> keras.Model:
    """An MLP on all pixels as one vector: no locality, no weight sharing, no token mixing.

    Args:
        image_shape, num_classes: as for `bit_resnet`.
        widths: units of the hidden layers, each followed by LayerNorm and GELU; those of equal
            width after the first have a residual connection.
    """
    pixels, x = _pixels(image_shape)
    x = layers.Flatten()(x)
    for before, width in itertools.pairwise((None, *widths)):
        y = layers.Activation("gelu")(layers.LayerNormalization()(layers.Dense(width)(x)))
        x = layers.Add()([x, y]) if before == width else y
    logits = layers.Dense(num_classes, dtype="float32", name="head")(x)
    return keras.Model(pixels, logits, name="plain_mlp")


@keras.saving.register_keras_serializable("examples")
class SkipInit(layers.Layer):
    """Multiplies by a constant and by a learned number that starts at 0 (arXiv:2002.10444).

    Args:
        alpha: the constant.
        **kwargs: as for `keras.layers.Layer`.
    """

    def __init__(self, alpha: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def build(self, input_shape: Shape) -> None:
        self.gain = self.add_weight(name="gain", shape=(), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * (self.alpha * self.gain)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "alpha": self.alpha}


def _pixels(image_shape: ImageShape) -> tuple[Tensor, Tensor]:
    """The input, and its pixels in [-1, 1]."""
    pixels = keras.Input(image_shape, name="pixels")
    return pixels, layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _convolution(x: Tensor, filters: int, side: int, **options: Any) -> Tensor:
    return StandardizedConv2D(filters, side, padding="same", use_bias=False, **options)(x)


def _scaled_convolution(x: Tensor, filters: int, side: int, **options: Any) -> Tensor:
    """A convolution with a learned factor for each filter."""
    return LayerScale(1.0)(_convolution(x, filters, side, **options))


def _scaled_relu(x: Tensor, factor: float = 1.0) -> Tensor:
    """ReLU of `factor` times x, which has variance 1; the factor after it restores that."""
    if factor != 1:
        x = layers.Rescaling(factor)(x)
    return layers.Rescaling(math.sqrt(2 / (1 - 1 / math.pi)))(layers.ReLU()(x))


def _classifier(pixels: Tensor, x: Tensor, num_classes: int, name: str) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="head")(x)
    return keras.Model(pixels, logits, name=name)
