"""The patch embedding of RepMLPNet."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_pair, check_positive_int, patch_grid
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.patch_kernel import is_convolution, project_patches
from keras_mlp.layers.torch_defaults import torch_batch_norm
from keras_mlp.typing import Config, Pair, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class ConvNormReLU(Composite):
    """A convolution without bias whose stride equals its kernel size, BatchNorm, ReLU.

    Args:
        filters: number of output channels D.
        patch_size: side P of the kernel in pixels, or (height, width).
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, H, W, C).
        training: whether to normalise by the batch.
        patch_size: as for `PatchEmbedding`.

    Shapes: (B, H, W, C) -> (B, H / P, W / P, D).

    Raises:
        ValueError: an argument is out of range, or the kernel does not divide the map.

    >>> tuple(ConvNormReLU(8, 2)(numpy.ones((2, 4, 6, 3))).shape)
    (2, 2, 3, 8)
    """

    def __init__(self, filters: int, patch_size: Pair, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.patch_size = check_pair("patch_size", patch_size)

    def build(self, input_shape: Shape) -> None:
        output_shape = self.compute_output_shape(input_shape)
        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.patch_size,
            strides=self.patch_size,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=torch_uniform(
                self.patch_size[0] * self.patch_size[1] * known_axis(input_shape, -1)
            ),
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.convolution.build(input_shape)
        self.norm = torch_batch_norm(self.dtype_policy, "norm")
        self.norm.build(output_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        patch_size: tuple[int, int] | None = None,
    ) -> Tensor:
        if is_convolution(patch_size):
            maps = self.convolution(inputs)
        else:
            maps = project_patches(self.convolution, inputs, patch_size)
        return ops.relu(self.norm(maps, training=training))

    def compute_output_spec(
        self,
        inputs: Tensor,
        training: bool | None = None,
        patch_size: tuple[int, int] | None = None,
    ) -> keras.KerasTensor:
        shape = self._output_shape(inputs.shape, patch_size or self.patch_size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._output_shape(input_shape, self.patch_size)

    def _output_shape(self, input_shape: Shape, patch_size: tuple[int, int]) -> Shape:
        image_shape = tuple(known_axis(input_shape, axis) for axis in (1, 2, 3))
        grid = patch_grid(image_shape, patch_size)
        return (input_shape[0], *grid, self.filters)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "filters": self.filters,
            "patch_size": self.patch_size,
        }
