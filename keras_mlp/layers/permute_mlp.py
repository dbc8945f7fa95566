"""Mixing along height, width and channels: the layer of Vision Permutator."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import (
    check_bool,
    check_initializer,
    check_rate,
    clone_initializer,
)
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.mlp import MLP
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PermuteMLP(keras.layers.Layer):
    """Encodes a map along its height, its width and its channels (Hou et al., arXiv:2106.12368).

    The channels are split into as many segments as the map has rows, so that one column of one
    segment has C values again: a C x C dense layer mixes the rows. A second one mixes the columns
    in the same way, and a third the channels. The map must therefore be square, and its side must
    divide C.

    Args:
        weighted: fuse the three branches by split attention (Weighted Permute-MLP), with weights
            per sample and channel that sum to 1. False for the plain sum (algorithm 1).
        qkv_bias: add a bias in each of the three branches.
        dropout_rate: in [0, 1), applied to the output.
        kernel_initializer: initializer of all kernels.
        bias_initializer: initializer of all biases.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, h, h, C) -> (B, h, h, C).

    Raises:
        ValueError: an argument is out of range, the map is not square, or its side does not divide
            C.

    >>> tuple(PermuteMLP()(numpy.ones((2, 4, 4, 8))).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        weighted: bool = True,
        qkv_bias: bool = False,
        dropout_rate: float = 0.0,
        kernel_initializer: Initializer = "lecun_normal",
        bias_initializer: Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.weighted = check_bool("weighted", weighted)
        self.qkv_bias = check_bool("qkv_bias", qkv_bias)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)

    def build(self, input_shape: Shape) -> None:
        _, height, width, _ = input_shape
        channels = known_axis(input_shape, -1)
        if height is None or height != width or channels % height:
            raise ValueError(
                "PermuteMLP takes square maps of a known side that divides the channels, got "
                f"{height} x {width} with {channels} channels."
            )
        self.channel = self._dense(channels, self.qkv_bias, "channel")
        self.height = self._dense(channels, self.qkv_bias, "height")
        self.width = self._dense(channels, self.qkv_bias, "width")
        for layer in (self.channel, self.height, self.width):
            layer.build(input_shape)
        if self.weighted:
            self.reweight = MLP(
                max(channels // 4, 1),
                output_dim=3 * channels,
                kernel_initializer=self.kernel_initializer,
                bias_initializer=self.bias_initializer,
                dtype=self.dtype_policy,
                name="reweight",
            )
            self.reweight.build((input_shape[0], channels))
        self.projection = self._dense(channels, True, "projection")
        self.projection.build(input_shape)
        self.dropout = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        # Swapping a grid axis with the segments is its own inverse.
        rows = _swap_segments(self.height(_swap_segments(inputs, 1)), 1)
        columns = _swap_segments(self.width(_swap_segments(inputs, 2)), 2)
        fused = self._fuse(rows, columns, self.channel(inputs))
        return self.dropout(self.projection(fused), training=training)

    def _fuse(self, rows: Tensor, columns: Tensor, channels: Tensor) -> Tensor:
        total = rows + columns + channels
        if not self.weighted:
            return total
        size = total.shape[-1]
        weights = self.reweight(ops.mean(total, axis=(1, 2)))
        # The branch is the fastest axis, as in the authors' code: index = 3 * channel + branch.
        weights = ops.softmax(ops.reshape(weights, (-1, 1, 1, size, 3)), axis=-1)
        return rows * weights[..., 0] + columns * weights[..., 1] + channels * weights[..., 2]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "weighted": self.weighted,
            "qkv_bias": self.qkv_bias,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _dense(self, units: int, use_bias: bool, name: str) -> Dense:
        return Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )


def _swap_segments(x: Tensor, axis: int) -> Tensor:
    """Swaps a grid axis (1 or 2) with the segments of the channels, keeping shape (B, h, h, C)."""
    _, side, _, channels = x.shape
    x = ops.reshape(x, (-1, side, side, side, channels // side))
    x = ops.transpose(x, (0, 3, 2, 1, 4) if axis == 1 else (0, 1, 3, 2, 4))
    return ops.reshape(x, (-1, side, side, channels))
