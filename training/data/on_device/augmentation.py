"""Random changes of a training batch on the device, as a function of a key."""

import functools
import math

import jax
import jax.numpy as jnp

from training.config import Augment
from training.data.on_device.cropping import Interpolation, crop_image
from training.data.on_device.erasing import cut_out, erase
from training.data.on_device.mixing import mix_batch
from training.data.on_device.policies import apply_policy

# An image's key is split in so many, and then folded with the number of every later use.
SPLIT = 7
CROP = SPLIT


def augment_batch(
    images: jax.Array,
    labels: jax.Array,
    key: jax.Array,
    augment: Augment,
    num_classes: int,
    interpolation: Interpolation = "bilinear",
) -> tuple[jax.Array, jax.Array]:
    """Crops, moves, mirrors, recolours, covers and mixes images, as far as `augment` asks for it.

    Args:
        images: uint8 (B, H, W, C).
        labels: int32 (B,).
        key: of `jax.random`; the same key gives the same result.
        augment: a `training.config.Augment`.
        num_classes: K.
        interpolation: of `augment.crop`.

    Returns:
        uint8 images (B, H, W, C), and float32 shares of the classes (B, K).
    """
    shares = jax.nn.one_hot(labels, num_classes)
    if not _changes_images(augment):
        return images, shares
    image_key, mix_key = jax.random.split(key)
    change = functools.partial(augment_image, augment=augment, interpolation=interpolation)
    pixels = jax.vmap(change)(images.astype(jnp.float32), jax.random.split(image_key, len(images)))
    if augment.mixup or augment.cutmix:
        pixels, shares = mix_batch(pixels, shares, mix_key, augment)
    return pixels.astype(jnp.uint8), shares


def _changes_images(augment: Augment) -> bool:
    numbers = (augment.shift, augment.translate, augment.rotate, augment.zoom, augment.cutout)
    chances = (augment.crop, augment.erase, augment.mixup, augment.cutmix)
    return augment.flip or augment.policy is not None or any((*numbers, *chances))


def augment_image(
    image: jax.Array, key: jax.Array, augment: Augment, interpolation: Interpolation = "bilinear"
) -> jax.Array:
    """Changes one image: float32 (H, W, C), whole numbers in [0, 255]; see `augment_batch`."""
    if augment.crop:
        crop_key = jax.random.fold_in(key, CROP)
        image = crop_image(image, crop_key, augment.crop, augment.aspect, interpolation)
    keys = jax.random.split(key, SPLIT)
    moved = image
    if augment.rotate or augment.zoom or augment.translate:
        moved = _move(moved, keys[0], augment)
    if augment.shift:
        moved = _shift(moved, keys[1], augment.shift)
    if augment.share < 1:
        moved = jnp.where(jax.random.uniform(keys[3]) < augment.share, moved, image)
    image = moved
    if augment.flip:
        image = jnp.where(jax.random.bernoulli(keys[2]), image[:, ::-1], image)
    if augment.policy is not None:
        image = apply_policy(image, keys[4], augment)
    if augment.cutout:
        image = cut_out(image, keys[5], augment.cutout)
    if augment.erase:
        image = erase(image, keys[6], augment.erase, augment.erase_area)
    return image


def _shift(image: jax.Array, key: jax.Array, pixels: int) -> jax.Array:
    padded = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
    top, left = jax.random.randint(key, (2,), 0, 2 * pixels + 1)
    return jax.lax.dynamic_slice(padded, (top, left, 0), image.shape)


def _move(image: jax.Array, key: jax.Array, augment: Augment) -> jax.Array:
    """Rotates and zooms about the centre and translates; bilinear, 0 from outside the image."""
    height, width, _ = image.shape
    draws = jax.random.uniform(key, (4,), minval=-1.0)
    angle, scale = draws[0] * math.radians(augment.rotate), 1.0 + draws[1] * augment.zoom
    cos, sin = jnp.cos(angle) * scale, jnp.sin(angle) * scale
    y, x = (height - 1) / 2, (width - 1) / 2
    rows, columns = jnp.mgrid[:height, :width].astype(jnp.float32)
    # From an output pixel to the input pixel that it is taken from.
    from_x = cos * (columns - x) - sin * (rows - y) + x + draws[2] * augment.translate * width
    from_y = sin * (columns - x) + cos * (rows - y) + y + draws[3] * augment.translate * height
    moved = jax.vmap(
        lambda channel: jax.scipy.ndimage.map_coordinates(channel, (from_y, from_x), order=1),
        in_axes=-1,
        out_axes=-1,
    )(image)
    return jnp.round(moved)
