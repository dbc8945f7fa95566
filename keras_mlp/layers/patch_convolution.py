"""A convolution over patches, which can also be called with patches of another size."""

import keras

from keras_mlp.layers.patch_kernel import is_convolution, project_patches
from keras_mlp.typing import Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PatchConvolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose stride is its kernel size, channels last.

    Args:
        filters, kernel_size, strides, **kwargs: as for `keras.layers.Conv2D`, with equal
            `kernel_size` and `strides`.

    Call arguments:
        inputs: (B, H, W, C).
        patch_size: (height, width) of patches of another size: the kernel is then resized by the
            pseudo-inverse (FlexiViT, arXiv:2212.08013).

    Shapes: (B, H, W, C) -> (B, H / height, W / width, D).

    >>> layer = PatchConvolution(8, kernel_size=(4, 4), strides=(4, 4))
    >>> tuple(layer(numpy.ones((2, 8, 12, 3))).shape)
    (2, 2, 3, 8)
    >>> tuple(layer(numpy.ones((2, 8, 12, 3)), patch_size=(2, 2)).shape)
    (2, 4, 6, 8)
    """

    def call(self, inputs: Tensor, patch_size: tuple[int, int] | None = None) -> Tensor:
        if is_convolution(patch_size):
            return super().call(inputs)
        return project_patches(self, inputs, patch_size)

    def compute_output_spec(
        self, inputs: Tensor, patch_size: tuple[int, int] | None = None
    ) -> keras.KerasTensor:
        batch, height, width, _ = inputs.shape
        rows, columns = patch_size or self.kernel_size
        shape = (batch, height // rows, width // columns, self.filters)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
