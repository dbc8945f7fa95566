"""Rectangles of an image that are covered, on the device: Cutout and Random Erasing."""

import math

import jax
import jax.numpy as jnp

from training.data.covered import GREY, LARGEST_ASPECT, SMALLEST_AREA


def cut_out(image: jax.Array, key: jax.Array, side: int | jax.Array) -> jax.Array:
    """Covers a square around a random point with grey (DeVries and Taylor, arXiv:1708.04552).

    Args:
        image: float32 (H, W, C) in [0, 255].
        key: of `jax.random`.
        side: of the square, in pixels; parts of it may lie outside the image.

    Returns:
        float32 (H, W, C).
    """
    centre = random_point(key, jnp.array(image.shape[:2]))
    return jnp.where(_inside(image, centre - side // 2, jnp.array([side, side])), GREY, image)


def erase(image: jax.Array, key: jax.Array, probability: float, largest: float) -> jax.Array:
    """Covers a random rectangle with noise (Zhong et al., arXiv:1708.04896).

    Area and logarithm of the aspect are uniform. The noise is normal, with the mean and standard
    deviation 127.5 that pixels normalised by 0.5 have.

    Args:
        image: float32 (H, W, C) in [0, 255].
        key: of `jax.random`.
        probability: that anything is covered.
        largest: largest share of the image that the rectangle takes.

    Returns:
        float32 (H, W, C).
    """
    keys = jax.random.split(key, 3)
    sizes = jnp.array(image.shape[:2])
    draws = jax.random.uniform(keys[0], (3,))
    area = (SMALLEST_AREA + draws[0] * (largest - SMALLEST_AREA)) * image.shape[0] * image.shape[1]
    aspect = jnp.exp((2 * draws[1] - 1) * math.log(LARGEST_ASPECT))
    # A rectangle that does not fit into the image is cut to its side.
    sides = jnp.round(jnp.stack([jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)]))
    sides = jnp.clip(sides.astype(jnp.int32), 1, sizes)
    start = random_point(keys[1], sizes - sides + 1)
    noise = jnp.clip(jnp.round(127.5 + 127.5 * jax.random.normal(keys[2], image.shape)), 0, 255)
    is_covered = _inside(image, start, sides) & (draws[2] < probability)
    return jnp.where(is_covered, noise, image)


def random_point(key: jax.Array, limits: jax.Array) -> jax.Array:
    """int32 (2,), from 0 to below the two `limits`, uniform."""
    return jnp.floor(jax.random.uniform(key, (2,)) * limits).astype(jnp.int32)


def _inside(image: jax.Array, start: jax.Array, sides: jax.Array) -> jax.Array:
    """Whether a pixel is in a rectangle: bool (H, W, 1)."""
    rows, columns = jnp.arange(image.shape[0]), jnp.arange(image.shape[1])
    in_rows = (rows >= start[0]) & (rows < start[0] + sides[0])
    in_columns = (columns >= start[1]) & (columns < start[1] + sides[1])
    return (in_rows[:, None] & in_columns[None, :])[..., None]
