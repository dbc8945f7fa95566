"""Random changes of one training image, as a function of a seed."""

import math

import keras
import tensorflow as tf

from training.data.erasing import cut_out, erase
from training.data.policies import apply_policy, check_policy

# What a seed is drawn for, one number each, so that no two draws are the same.
CROP, POLICY, CUTOUT, ERASE = range(4)


def check_augmentation(augment, split):
    """Raises ValueError where a `training.config.Augment` does not fit the images."""
    if augment.policy is not None:
        check_policy(augment.policy, split.examples.element_spec[0].shape[-1])


def draw_seed(seed, number):
    """A pair of integers that belongs to a pair of integers and to what it is drawn for."""
    return tf.random.fold_in(tf.stack([tf.cast(part, tf.int64) for part in seed]), number)


def augment_image(image, seed, augment):
    """Moves, mirrors, recolours and covers an image at random, as far as `augment` asks for it.

    Args:
        image: uint8 tensor (H, W, C).
        seed: pair of integers; the same pair gives the same result.
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


def _shift(image, seed, pixels):
    height, width, _ = image.shape
    padded = tf.image.pad_to_bounding_box(
        image, pixels, pixels, height + 2 * pixels, width + 2 * pixels
    )
    return tf.image.stateless_random_crop(padded, image.shape, seed)


def _move(image, seed, augment):
    """Rotates and zooms about the centre and translates; bilinear, 0 from outside the image."""
    height, width, _ = image.shape
    draws = tf.unstack(tf.random.stateless_uniform((4,), seed, -1.0, 1.0))
    angle, scale = draws[0] * math.radians(augment.rotate), 1.0 + draws[1] * augment.zoom
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    y, x = (height - 1) / 2, (width - 1) / 2
    # From an output pixel to the input pixel that it is taken from.
    shift_x = x - cos * x + sin * y + draws[2] * augment.translate * width
    shift_y = y - sin * x - cos * y + draws[3] * augment.translate * height
    matrix = tf.stack([cos, -sin, shift_x, sin, cos, shift_y, 0.0, 0.0])
    moved = keras.ops.image.affine_transform(
        tf.cast(image, tf.float32), matrix, interpolation="bilinear", data_format="channels_last"
    )
    return tf.ensure_shape(tf.cast(tf.round(moved), tf.uint8), image.shape)
