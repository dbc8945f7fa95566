"""Random parts of images, resized to the whole, on the device."""

import collections.abc
import typing

import jax
import jax.numpy as jnp

ATTEMPTS = 10

Interpolation: typing.TypeAlias = typing.Literal["bilinear", "bicubic", "lanczos3"]


def crop_image(
    image: jax.Array, key: jax.Array, smallest: float, aspect: float, interpolation: Interpolation
) -> jax.Array:
    """A random part of an image, resized to the image's size (Szegedy et al., arXiv:1409.4842).

    Args:
        image: float32 (H, W, C), whole numbers in [0, 255].
        key: of `jax.random`.
        smallest, aspect: as for `random_box`.
        interpolation: as for `resized_part`.

    Returns:
        float32 (H, W, C), whole numbers in [0, 255].
    """
    draws = jax.random.uniform(key, (ATTEMPTS, 4))
    return resized_part(image, random_box(image.shape, draws, smallest, aspect), interpolation)


def random_box(
    shape: collections.abc.Sequence[int], draws: jax.Array, smallest: float, aspect: float
) -> jax.Array:
    """The part that `tf.image.sample_distorted_bounding_box` cuts out, from other random numbers.

    Args:
        shape: of the image, (H, W, C).
        draws: uniform in [0, 1), (attempts, 4).
        smallest: smallest share of the image's area, in (0, 1].
        aspect: largest ratio of width to height; the smallest is its inverse.

    Returns:
        int32 (top, left, height, width); the whole image if no attempt finds such a part.
    """
    boxes, fit = jax.vmap(lambda draw: _attempt(shape, draw, smallest, aspect))(draws)
    whole = jnp.array([0, 0, *shape[:2]], jnp.int32)
    return jnp.where(jnp.any(fit), boxes[jnp.argmax(fit)], whole)


def _attempt(
    shape: collections.abc.Sequence[int], draw: jax.Array, smallest: float, aspect: float
) -> tuple[jax.Array, jax.Array]:
    """A box, and whether it is in the image and of an allowed area."""
    rows, columns = shape[:2]
    least, most = smallest * rows * columns, rows * columns
    ratio = 1 / aspect + draw[0] * (aspect - 1 / aspect)
    low, high = (jnp.round(jnp.sqrt(area / ratio)) for area in (least, most))
    widest = jnp.floor((columns + 0.5 - 1e-7) / ratio)
    high = jnp.where(jnp.round(high * ratio) > columns, widest, high)
    high = jnp.where(jnp.round(high * ratio) > columns, high - 1, high)
    high = jnp.minimum(high, rows)
    low = jnp.minimum(low, high)
    height = low + jnp.floor(draw[1] * (high - low + 1))
    # Rounded sides may miss the bounds of the area by a row.
    height = jnp.where(height * jnp.round(height * ratio) < least, height + 1, height)
    height = jnp.where(height * jnp.round(height * ratio) > most, height - 1, height)
    width = jnp.round(height * ratio)
    area = height * width
    fits = (area >= least) & (area <= most) & (width <= columns) & (height <= rows)
    top, left = jnp.floor(draw[2] * (rows - height)), jnp.floor(draw[3] * (columns - width))
    return jnp.stack([top, left, height, width]).astype(jnp.int32), fits & (area > 0)


def resized_part(image: jax.Array, box: jax.Array, interpolation: Interpolation) -> jax.Array:
    """A part of an image at the image's size, as `tf.image.resize(..., antialias=True)` has it.

    Args:
        image: float32 (H, W, C) in [0, 255].
        box: int32 (top, left, height, width).
        interpolation: "bilinear", "bicubic" or "lanczos3".

    Returns:
        float32 (H, W, C), whole numbers in [0, 255].
    """
    rows, columns = (
        _weights(image.shape[axis], box[axis], box[axis + 2], _KERNELS[interpolation])
        for axis in (0, 1)
    )
    # In full precision: a GPU would round pixels to ten bits.
    part = jnp.einsum("ih,hwc->iwc", rows, image, precision="highest")
    part = jnp.einsum("jw,iwc->ijc", columns, part, precision="highest")
    return jnp.clip(jnp.round(part), 0, 255)


def _weights(
    side: int,
    start: jax.Array,
    length: jax.Array,
    kernel: collections.abc.Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """(side, side): from the pixels of an image to those of its resized part, along one axis."""
    pixels = jnp.arange(side)
    places = start + (pixels + 0.5) * length / side - 0.5
    is_inside = (pixels >= start) & (pixels < start + length)
    # The part is never larger than the whole, so antialiasing leaves the kernel as it is.
    weights = kernel(jnp.abs(places[:, None] - pixels)) * is_inside
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def _triangle(distance: jax.Array) -> jax.Array:
    return jnp.maximum(0.0, 1.0 - distance)


def _keys(distance: jax.Array) -> jax.Array:
    """Keys' cubic convolution (1981), a = -0.5."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return jnp.where(distance <= 1, near, jnp.where(distance < 2, far, 0.0))


def _lanczos(distance: jax.Array) -> jax.Array:
    return jnp.where(distance < 3, jnp.sinc(distance) * jnp.sinc(distance / 3), 0.0)


_KERNELS = {"bilinear": _triangle, "bicubic": _keys, "lanczos3": _lanczos}
