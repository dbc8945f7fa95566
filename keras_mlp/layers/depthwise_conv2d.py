"""A depthwise convolution that is fast on accelerators under XLA."""

import keras
from keras import ops

from keras_mlp.typing import Tensor


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer, for odd kernels, stride 1 and zero padding.

    On JAX it is a sum of shifted maps, which XLA fuses into one pass. XLA's own convolution with
    one group per channel has no fast kernel on a GPU, least of all for its gradient and under
    `jax.vmap`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    >>> layer = DepthwiseConv2D(3, padding="same", use_bias=False)
    >>> tuple(layer(numpy.ones((2, 5, 6, 4), "float32")).shape)
    (2, 5, 6, 4)
    """

    def call(self, inputs: Tensor) -> Tensor:
        if keras.backend.backend() != "jax":
            return super().call(inputs)
        height, width = inputs.shape[1:3]
        rows, columns = (size // 2 for size in self.kernel_size)
        kernel = ops.cast(self.kernel, inputs.dtype)
        padded = ops.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
        return sum(
            padded[:, y : y + height, x : x + width] * kernel[y, x, :, 0]
            for y in range(self.kernel_size[0])
            for x in range(self.kernel_size[1])
        )
