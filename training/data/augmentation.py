"""Random augmentation of one training image, as a function of a seed."""

import math

import keras
import tensorflow as tf

from keras_mlp.typing import Tensor
from training.config import Augment
from training.data.erasing import cut_out, erase
from training.data.policies import apply_policy, check_policy
from training.data.splits import Split

# One number for each use of a seed, so that no two uses share their random numbers.
CROP, POLICY, CUTOUT, ERASE = range(4)


def check_augmentation(augment: Augment, split: Split) -> None:
    """Raises ValueError if a `training.config.Augment` does not suit the images."""
    if augment.policy is not None:
        check_policy(augment.policy, split.examples.element_spec[0].shape[-1])


def draw_seed(seed: Tensor, number: int) -> tf.Tensor:
    """Derives a seed, a pair of integers, from another and the number of a use, such as `CROP`."""
    return tf.random.fold_in(tf.stack([tf.cast(part, tf.int64) for part in seed]), number)


def augment_image(image: tf.Tensor, seed: Tensor, augment: Augment) -> tf.Tensor:
    """Moves, mirrors, recolours and covers an image at random, as `augment` asks.

    Args:
        image: uint8 tensor (H, W, C).
        seed: a pair of integers; the same pair gives the same result.
        augment: a `training.config.Augment`.

    Returns:
        uint8 tensor (H, W, C).
    """
    seeds = tf.random.split(tf.stack([tf.cast(part, tf.int64) for part in seed]), 4)
    moved = image
    if augment.rotate or augment.zoom or augment.translate:
        moved = _move(moved, seeds[0], augment)
    if augment.shift:
        moved = _shift(moved, seeds[1], augment.shift)
    if augment.share < 1:
        moved = tf.where(tf.random.stateless_uniform((), seeds[3]) < augment.share, moved, image)
    image = moved
    if augment.flip:
        image = tf.image.stateless_random_flip_left_right(image, seeds[2])
    if augment.policy is not None:
        image = apply_policy(image, draw_seed(seed, POLICY), augment)
    if augment.cutout:
        image = cut_out(image, draw_seed(seed, CUTOUT), augment.cutout)
    if augment.erase:
        image = erase(image, draw_seed(seed, ERASE), augment.erase, augment.erase_area)
    return image


def _shift(image: tf.Tensor, seed: tf.Tensor, pixels: int) -> tf.Tensor:
    height, width, _ = image.shape
    padded = tf.image.pad_to_bounding_box(
        image, pixels, pixels, height + 2 * pixels, width + 2 * pixels
    )
    return tf.image.stateless_random_crop(padded, image.shape, seed)


def _move(image: tf.Tensor, seed: tf.Tensor, augment: Augment) -> tf.Tensor:
    """Rotates and zooms about the centre and translates; bilinear, 0 outside the image."""
    height, width, _ = image.shape
    draws = tf.unstack(tf.random.stateless_uniform((4,), seed, -1.0, 1.0))
    angle, scale = draws[0] * math.radians(augment.rotate), 1.0 + draws[1] * augment.zoom
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    y, x = (height - 1) / 2, (width - 1) / 2
    # Maps an output pixel to its input pixel.
    shift_x = x - cos * x + sin * y + draws[2] * augment.translate * width
    shift_y = y - sin * x - cos * y + draws[3] * augment.translate * height
    matrix = tf.stack([cos, -sin, shift_x, sin, cos, shift_y, 0.0, 0.0])
    moved = keras.ops.image.affine_transform(
        tf.cast(image, tf.float32), matrix, interpolation="bilinear", data_format="channels_last"
    )
    return tf.ensure_shape(tf.cast(tf.round(moved), tf.uint8), image.shape)
