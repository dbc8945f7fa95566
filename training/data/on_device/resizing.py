"""Resizing a batch of images inside a step."""

import jax
import jax.numpy as jnp

from keras_mlp.layers.resampling import bilinear_antialias_matrix


def resize_images(images: jax.Array, new_size: tuple[int, int]) -> jax.Array:
    """Resizes images bilinearly with antialiasing, as `tf.image.resize(..., antialias=True)`.

    Args:
        images: uint8 (B, H, W, C).
        new_size: (height, width) of the result.

    Returns:
        uint8 (B, height, width, C).
    """
    if images.shape[1:3] == new_size:
        return images
    rows, columns = (
        jnp.asarray(bilinear_antialias_matrix(*sides), jnp.float32)
        for sides in zip(images.shape[1:3], new_size, strict=True)
    )
    pixels = images.astype(jnp.float32)
    # In full precision: a GPU would round pixels to ten bits.
    pixels = jnp.einsum("ih,bhwc->biwc", rows, pixels, precision="highest")
    pixels = jnp.einsum("jw,biwc->bijc", columns, pixels, precision="highest")
    return jnp.clip(jnp.round(pixels), 0, 255).astype(jnp.uint8)
