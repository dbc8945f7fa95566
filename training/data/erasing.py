"""Covers rectangles of an image: Cutout and Random Erasing."""

import math

import tensorflow as tf

from keras_mlp.typing import Tensor
from training.data.covered import GREY, LARGEST_ASPECT, SMALLEST_AREA


def cut_out(image: tf.Tensor, seed: Tensor, side: int | tf.Tensor) -> tf.Tensor:
    """Covers a square around a random point with grey (DeVries and Taylor, arXiv:1708.04552).

    Args:
        image: uint8 (H, W, C).
        seed: pair of integers.
        side: side of the square in pixels; parts of it may be outside the image.

    Returns:
        uint8 (H, W, C).
    """
    height, width, _ = image.shape
    centre = random_points((2,), seed, [height, width])
    is_covered = _inside(image.shape, centre - side // 2, (side, side))
    return tf.where(is_covered, tf.constant(GREY, tf.uint8), image)


def erase(image: tf.Tensor, seed: Tensor, probability: float, largest: float) -> tf.Tensor:
    """Covers a random rectangle with noise (Zhong et al., arXiv:1708.04896).

    The area and the logarithm of the aspect ratio are uniform, the ratio up to `LARGEST_ASPECT` or
    its inverse. The noise is normal with mean and standard deviation 127.5: standard normal after
    normalisation by 0.5.

    Args:
        image: uint8 (H, W, C).
        seed: pair of integers.
        probability: probability to cover anything.
        largest: largest share of the image's area; the smallest is `SMALLEST_AREA`.

    Returns:
        uint8 (H, W, C).
    """
    seeds = tf.random.split(seed, 3)
    height, width, _ = image.shape
    draws = tf.unstack(tf.random.stateless_uniform((3,), seeds[0]))
    area = (SMALLEST_AREA + draws[0] * (largest - SMALLEST_AREA)) * height * width
    aspect = tf.exp((2 * draws[1] - 1) * math.log(LARGEST_ASPECT))
    # A rectangle that exceeds the image is cut to the image's side.
    sides = tf.round(tf.stack([tf.sqrt(area * aspect), tf.sqrt(area / aspect)]))
    sides = tf.clip_by_value(tf.cast(sides, tf.int32), 1, [height, width])
    start = random_points((2,), seeds[1], [height, width] - sides + 1)
    noise = tf.random.stateless_normal(image.shape, seeds[2], 127.5, 127.5)
    noise = tf.saturate_cast(tf.round(noise), tf.uint8)
    is_covered = _inside(image.shape, start, sides) & (draws[2] < probability)
    return tf.where(is_covered, noise, image)


def random_points(shape: Tensor, seed: Tensor, limits: Tensor) -> tf.Tensor:
    """Uniform int32 of `shape` (..., 2), from 0 to below the two `limits`."""
    draws = tf.random.stateless_uniform(shape, seed)
    return tf.cast(tf.floor(draws * tf.cast(limits, tf.float32)), tf.int32)


def _inside(shape: Tensor, start: tf.Tensor, sides: Tensor) -> tf.Tensor:
    """Whether each pixel is in a rectangle: bool (H, W, 1)."""
    rows, columns = tf.range(shape[0]), tf.range(shape[1])
    rows = (rows >= start[0]) & (rows < start[0] + sides[0])
    columns = (columns >= start[1]) & (columns < start[1] + sides[1])
    return (rows[:, None] & columns[None, :])[..., None]
