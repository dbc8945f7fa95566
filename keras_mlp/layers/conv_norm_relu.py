"""The convolution that embeds patches, in RepMLPNet."""

import keras
from keras import ops

from keras_mlp.arguments import check_pair, check_positive_int, patch_grid
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.torch_defaults import torch_batch_norm


@keras.saving.register_keras_serializable("keras_mlp")
class ConvNormReLU(keras.layers.Layer):
    """A convolution whose stride is its size, without bias; BatchNorm; ReLU.

    Args:
        filters: number of output channels D.
        patch_size: side P of the kernel, or (height, width).
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H / P, W / P, D).

    Raises:
        ValueError: an argument is out of range, or the kernel does not divide the map.

    >>> tuple(ConvNormReLU(8, 2)(numpy.ones((2, 4, 6, 3))).shape)
    (2, 2, 3, 8)
    """

    def __init__(self, filters, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.patch_size = check_pair("patch_size", patch_size)

    def build(self, input_shape):
        patch_grid(tuple(input_shape[1:]), self.patch_size)
        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.patch_size,
            strides=self.patch_size,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=torch_uniform(
                self.patch_size[0] * self.patch_size[1] * input_shape[-1]
            ),
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.convolution.build(input_shape)
        self.norm = torch_batch_norm(self.dtype_policy, "norm")
        self.norm.build(self.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs, training=None):
        return ops.relu(self.norm(self.convolution(inputs), training=training))

    def compute_output_shape(self, input_shape):
        grid = patch_grid(tuple(input_shape[1:]), self.patch_size)
        return (input_shape[0], *grid, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "patch_size": self.patch_size,
        }
