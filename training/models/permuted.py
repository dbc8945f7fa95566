"""A model that sees every image with its patches, or its pixels, in another fixed order."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.typing import Config, Shape, Tensor

_SEED = 0  # one order for all runs and models


@keras.saving.register_keras_serializable("keras_mlp.training")
class PatchPermutation(keras.layers.Layer):
    """Puts the patches of every image in one fixed random order.

    Args:
        patch_size: side of a patch in pixels; divides the image. 1 permutes pixels; the channels of
            a pixel stay together.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: the patch does not divide the image.
    """

    def __init__(self, patch_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def build(self, input_shape: Shape) -> None:
        height, width = input_shape[1:3]
        side = self.patch_size
        if height % side or width % side:
            raise ValueError(
                f"`model.permute_patches`={side} must divide the image, {height} x {width} pixels."
            )
        self.grid = height // side, width // side
        self.order = np.random.default_rng(_SEED).permutation(self.grid[0] * self.grid[1])
        self.built = True

    def call(self, images: Tensor) -> Tensor:
        side, (rows, columns) = self.patch_size, self.grid
        channels = images.shape[-1]
        patches = ops.reshape(images, (-1, rows, side, columns, side, channels))
        patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        patches = ops.reshape(patches, (-1, rows * columns, side, side, channels))
        patches = ops.take(patches, self.order, axis=1)
        patches = ops.reshape(patches, (-1, rows, columns, side, side, channels))
        patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        return ops.reshape(patches, (-1, rows * side, columns * side, channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "patch_size": self.patch_size}


def permuted(model: keras.Model, patch_size: int) -> keras.Model:
    """A model with a `PatchPermutation` before a given one, whose weights it shares.

    The permutation is part of the model, so it comes after augmentation and is the same in training
    and evaluation.

    Args:
        model: from images to logits.
        patch_size: side of a patch in pixels.
    """
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    # Pixels stay float32: half precision would not change integers up to 255, but floats.
    images = PatchPermutation(patch_size, dtype="float32", name="permutation")(pixels)
    return keras.Model(pixels, model(images), name=f"permuted_{model.name}")
