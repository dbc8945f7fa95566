"""A depthwise convolution that is fast on accelerators under XLA."""

import keras
from keras import ops

from keras_mlp.layers.bias import add_bias
from keras_mlp.typing import Tensor


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer, for channels last.

    On JAX, odd kernels with stride 1 and zero padding are a sum of shifted maps, which XLA fuses
    into one pass. XLA's own convolution with one group per channel has no fast kernel on a GPU,
    least of all for its gradient and under `jax.vmap`.

    Shapes: (B, H, W, C) -> (B, H, W, C), with these strides and this padding.

    >>> layer = DepthwiseConv2D(3, padding="same", use_bias=False)
    >>> tuple(layer(numpy.ones((2, 5, 6, 4), "float32")).shape)
    (2, 5, 6, 4)
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if self.data_format != "channels_last":
            return super().call(inputs)
        if keras.backend.backend() == "jax" and self._keeps_the_map():
            outputs = self._sum_of_shifted_maps(inputs)
        else:
            outputs = ops.depthwise_conv(
                inputs,
                self.kernel,
                strides=self.strides,
                padding=self.padding,
                dilation_rate=self.dilation_rate,
                data_format=self.data_format,
            )
        if self.use_bias:
            outputs = add_bias(outputs, self.bias, training)
        return outputs if self.activation is None else self.activation(outputs)

    def _sum_of_shifted_maps(self, inputs: Tensor) -> Tensor:
        height, width = inputs.shape[1:3]
        rows, columns = (size // 2 for size in self.kernel_size)
        kernel = ops.cast(self.kernel, inputs.dtype)
        padded = ops.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
        return sum(
            padded[:, y : y + height, x : x + width] * kernel[y, x, :, 0]
            for y in range(self.kernel_size[0])
            for x in range(self.kernel_size[1])
        )

    def _keeps_the_map(self) -> bool:
        is_plain = self.padding == "same" and self.data_format == "channels_last"
        is_plain = is_plain and self.depth_multiplier == 1
        steps = (*self.strides, *self.dilation_rate)
        return is_plain and set(steps) == {1} and all(size % 2 for size in self.kernel_size)
