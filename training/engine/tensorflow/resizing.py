"""Resizing a batch of images inside a step, with or without XLA."""

import tensorflow as tf

from keras_mlp.layers.resampling import bilinear_antialias_matrix


def resize_images(images: tf.Tensor, size: tuple[int, int], new_size: tuple[int, int]) -> tf.Tensor:
    """Resizes images as `tf.image.resize(..., antialias=True)`, which XLA does not compile.

    Args:
        images: uint8 or float (B, H, W, C).
        size: (H, W).
        new_size: (height, width) of the result.

    Returns:
        A tensor of the same dtype; uint8 is rounded.
    """
    pixels = tf.cast(images, tf.float32)
    rows, columns = (
        tf.constant(bilinear_antialias_matrix(*sides), tf.float32)
        for sides in zip(size, new_size, strict=True)
    )
    pixels = tf.einsum("ih,bhwc->biwc", rows, pixels)
    pixels = tf.einsum("jw,biwc->bijc", columns, pixels)
    if images.dtype == tf.uint8:
        return tf.saturate_cast(tf.round(pixels), tf.uint8)
    return tf.cast(pixels, images.dtype)
