"""Mixing along height, width and channels: the layer of Vision Permutator."""

import keras
from keras import ops

from keras_mlp.arguments import check_bool, check_rate
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.mlp import MLP


@keras.saving.register_keras_serializable("keras_mlp")
class PermuteMLP(keras.layers.Layer):
    """Encodes a map along its height, its width and its channels (Hou et al., arXiv:2106.12368).

    The channels are cut into as many segments as the map has rows, so that one column of one
    segment has C numbers again: a C x C product mixes the rows. The same along the width; a plain
    product mixes the channels. The map is therefore square, and its side divides C.

    Args:
        weighted: fuse the three branches by split attention (Weighted Permute-MLP), with weights
            per sample and channel that add up to 1. False: the plain sum (algorithm 1).
        qkv_bias: the three products have biases.
        dropout_rate: in [0, 1), after the last product.
        kernel_initializer, bias_initializer: of all products.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, h, h, C) -> (B, h, h, C).

    Raises:
        ValueError: an argument is out of range, or the map is not square, or its side does not
            divide the channels.

    >>> tuple(PermuteMLP()(numpy.ones((2, 4, 4, 8))).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        weighted=True,
        qkv_bias=False,
        dropout_rate=0.0,
        kernel_initializer="lecun_normal",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.weighted = check_bool("weighted", weighted)
        self.qkv_bias = check_bool("qkv_bias", qkv_bias)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape):
        _, height, width, channels = input_shape
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

    def call(self, inputs, training=None):
        # Each exchange of a grid axis with the segments is its own inverse.
        rows = _exchange(self.height(_exchange(inputs, 1)), 1)
        columns = _exchange(self.width(_exchange(inputs, 2)), 2)
        fused = self._fuse(rows, columns, self.channel(inputs))
        return self.dropout(self.projection(fused), training=training)

    def _fuse(self, rows, columns, channels):
        total = rows + columns + channels
        if not self.weighted:
            return total
        size = total.shape[-1]
        weights = self.reweight(ops.mean(total, axis=(1, 2)))
        # The branches are the fast axis, as in the authors' code: 3 * channel + branch.
        weights = ops.softmax(ops.reshape(weights, (-1, 1, 1, size, 3)), axis=-1)
        return rows * weights[..., 0] + columns * weights[..., 1] + channels * weights[..., 2]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "weighted": self.weighted,
            "qkv_bias": self.qkv_bias,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _dense(self, units, use_bias, name):
        return Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=self.kernel_initializer.clone(),
            bias_initializer=self.bias_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )


def _exchange(x, axis):
    """Exchanges a grid axis (1 or 2) with the segments of the channels, (B, h, h, C) both times."""
    _, side, _, channels = x.shape
    x = ops.reshape(x, (-1, side, side, side, channels // side))
    x = ops.transpose(x, (0, 3, 2, 1, 4) if axis == 1 else (0, 1, 3, 2, 4))
    return ops.reshape(x, (-1, side, side, channels))
