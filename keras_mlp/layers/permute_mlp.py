"""Mixing along height, width and channels: the layer of Vision Permutator."""

from typing import Any, TypeVar

import keras
from keras import ops

from keras_mlp.arguments import (
    check_bool,
    check_initializer,
    check_optional,
    check_positive_int,
    check_rate,
    clone_initializer,
)
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.mlp import MLP
from keras_mlp.layers.token_dense import TokenDense
from keras_mlp.typing import Config, Initializer, Shape, Tensor

_Dense = TypeVar("_Dense", bound=Dense)


@keras.saving.register_keras_serializable("keras_mlp")
class PermuteMLP(Composite):
    """Encodes a map along its height, its width and its channels (Hou et al., arXiv:2106.12368).

    The channels are split into segments. One dense layer mixes the values of one column of one
    segment, a second one those of one row, and a third mixes the channels. In the paper there are
    as many segments as the map has rows, so that all three layers are C x C: the map is then
    square, and its side divides C.

    For a map of another size than the layer was built for, the matrices of rows and columns are
    resized in the graph along the rows or columns, as by `TokenDense`.

    Args:
        weighted: fuse the three branches by split attention (Weighted Permute-MLP), with weights
            per sample and channel that sum to 1. False for the plain sum (algorithm 1).
        qkv_bias: add a bias in each of the three branches.
        dropout_rate: in [0, 1), applied to the output.
        kernel_initializer: initializer of all kernels.
        bias_initializer: initializer of all biases.
        segments: number of segments, which divides C; None for the side of the map. With a number,
            the map may have any height and width.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, h, w, C) -> (B, h, w, C).

    Raises:
        ValueError: an argument is out of range; `segments` does not divide C; or, without
            `segments`, the map is not square, or its side does not divide C.

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
        segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.weighted = check_bool("weighted", weighted)
        self.qkv_bias = check_bool("qkv_bias", qkv_bias)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)
        self.segments = check_optional("segments", segments, check_positive_int)

    def build(self, input_shape: Shape) -> None:
        height, width, channels = self._check_map(input_shape)
        self.grid = (height, width)
        # The number of segments of the stored matrices, whatever map the layer is called with.
        self.parts = self.segments or height
        part = channels // self.parts
        self.channel = self._dense(Dense, channels, self.qkv_bias, "channel")
        self.height = self._dense(TokenDense, height * part, self.qkv_bias, "height")
        self.width = self._dense(TokenDense, width * part, self.qkv_bias, "width")
        self.channel.build(input_shape)
        for layer in (self.height, self.width):
            layer.build((*input_shape[:-1], layer.units))
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
        self.projection = self._dense(Dense, channels, True, "projection")
        self.projection.build(input_shape)
        self.dropout = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        rows, columns = self._mixed(inputs, self.height, 1), self._mixed(inputs, self.width, 2)
        fused = self._fuse(rows, columns, self.channel(inputs))
        return self.dropout(self.projection(fused), training=training)

    def _mixed(self, inputs: Tensor, layer: TokenDense, axis: int) -> Tensor:
        """The map, mixed along axis 1 or 2."""
        _, height, width, channels = inputs.shape
        side, stored = inputs.shape[axis], self.grid[axis - 1]
        # Swapping the axis with the segments is its own inverse.
        order = (0, 3, 2, 1, 4) if axis == 1 else (0, 1, 3, 2, 4)
        parts = ops.reshape(inputs, (-1, height, width, self.parts, channels // self.parts))
        parts = ops.transpose(parts, order)
        swapped = tuple(parts.shape[1:])
        lines = ops.reshape(parts, (-1, *swapped[:2], swapped[2] * swapped[3]))
        lines = layer(lines, grids=None if side == stored else ((stored, 1), (side, 1)))
        parts = ops.transpose(ops.reshape(lines, (-1, *swapped)), order)
        return ops.reshape(parts, (-1, height, width, channels))

    def _check_map(self, input_shape: Shape) -> tuple[int, int, int]:
        """The height, width and channels of the map that the layer is built for."""
        _, height, width, _ = input_shape
        channels = known_axis(input_shape, -1)
        if self.segments is None and (height is None or height != width or channels % height):
            raise ValueError(
                "PermuteMLP takes square maps of a known side that divides the channels, got "
                f"{height} x {width} with {channels} channels."
            )
        if self.segments is not None and channels % self.segments:
            raise ValueError(
                f"`segments`={self.segments} must divide the channels of the map, {channels}."
            )
        return known_axis(input_shape, 1), known_axis(input_shape, 2), channels

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
            "segments": self.segments,
        }

    def _dense(self, kind: type[_Dense], units: int, use_bias: bool, name: str) -> _Dense:
        return kind(
            units,
            use_bias=use_bias,
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
