"""Images in memory at another size, for the engine on JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from keras_mlp.typing import Array

_METHODS = {"bilinear": "linear", "bicubic": "cubic", "lanczos3": "lanczos3"}
_AT_ONCE = 512


def resized_whole(images: Array, image_shape: tuple[int, ...], interpolation: str) -> Array:
    """Resizes images, antialiased, as `training.data.decoding.resize` does with TensorFlow.

    Args:
        images: uint8 (N, H, W, C).
        image_shape: (height, width, C) of the result.
        interpolation: "bilinear", "bicubic" or "lanczos3".

    Returns:
        uint8 (N, height, width, C); the images themselves where they have that size.
    """
    if images.shape[1:] == tuple(image_shape):
        return images
    result = np.empty((len(images), *image_shape), np.uint8)
    for start in range(0, len(images), _AT_ONCE):
        part = jnp.asarray(images[start : start + _AT_ONCE], jnp.float32)
        shape = (len(part), *image_shape)
        # In full precision: a GPU would round pixels to ten bits.
        part = jax.image.resize(
            part, shape, _METHODS[interpolation], precision=jax.lax.Precision.HIGHEST
        )
        result[start : start + _AT_ONCE] = jnp.clip(jnp.round(part), 0, 255).astype(jnp.uint8)
    return result
