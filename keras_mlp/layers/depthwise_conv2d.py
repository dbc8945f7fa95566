"""A depthwise convolution that is fast on accelerators under XLA."""

import keras
from keras import ops

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

    def call(self, inputs: Tensor) -> Tensor:
        if keras.backend.backend() != "jax" or not self._keeps_the_map():
            return super().call(inputs)
        height, width = inputs.shape[1:3]
        rows, columns = (size // 2 for size in self.kernel_size)
        kernel = ops.cast(self.kernel, inputs.dtype)
        padded = ops.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
        outputs = sum(
            padded[:, y : y + height, x : x + width] * kernel[y, x, :, 0]
            for y in range(self.kernel_size[0])
            for x in range(self.kernel_size[1])
        )
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, inputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def _keeps_the_map(self) -> bool:
        is_plain = self.padding == "same" and self.data_format == "channels_last"
        is_plain = is_plain and self.depth_multiplier == 1
        steps = (*self.strides, *self.dilation_rate)
        return is_plain and set(steps) == {1} and all(size % 2 for size in self.kernel_size)
