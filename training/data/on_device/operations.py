"""The operations of AutoAugment, RandAugment and TrivialAugment on one image, on the device.

They give the pixels of the TensorFlow model garden's functions. Which operation it is, is known on
the device only, and under `vmap` every one of them is computed; so all that move pixels share one
gather, and the others fuse into one pass.
"""

import collections.abc

import jax
import jax.numpy as jnp

from training.data.on_device.erasing import cut_out

MOVES = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
LUMA = (0.2989, 0.587, 0.114)


def apply_operation(
    names: collections.abc.Sequence[str],
    number: jax.Array,
    image: jax.Array,
    argument: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """One of several operations on an image.

    Args:
        names: of the operations, keys of `RECOLOURINGS` or in `MOVES`, or "Cutout", "Identity".
        number: which of them, an integer.
        image: float32 (H, W, 3), whole numbers in [0, 255].
        argument: of the operation, in its own unit: degrees, pixels, a factor, bits, a threshold,
            or half the side of the square that is cut out.
        key: of `jax.random`, of the place that is cut out.

    Returns:
        float32 (H, W, 3), whole numbers in [0, 255].
    """
    if any(name in MOVES for name in names):
        matrices = jnp.stack([_matrix(name, argument, image.shape) for name in names])
        changed = move(image, matrices[number])
    else:
        changed = image
    for own, name in enumerate(names):
        if name in RECOLOURINGS:
            result = RECOLOURINGS[name](image, argument)
        elif name == "Cutout":
            result = cut_out(image, key, 2 * argument.astype(jnp.int32))
        else:
            continue
        changed = jnp.where(number == own, result, changed)
    return changed


def move(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """Each pixel from the nearest one at `matrix @ (x, y, 1)`; mirrored at the edges.

    Args:
        image: (H, W, C).
        matrix: (2, 3), from an output pixel (x, y) to an input one.
    """
    height, width, _ = image.shape
    y, x = jnp.mgrid[:height, :width].astype(jnp.float32)
    columns = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    rows = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    return image[_mirrored(rows, height), _mirrored(columns, width)]


def _mirrored(place: jax.Array, length: int) -> jax.Array:
    place = jnp.mod(place, 2 * length)
    place = jnp.where(place >= length, 2 * length - place - 1, place)
    return jnp.floor(jnp.clip(place, 0, length - 1) + 0.5).astype(jnp.int32)


def _matrix(name: str, argument: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """(2, 3): the move that an operation makes; that of a recolouring leaves all in place."""
    one, zero = jnp.ones(()), jnp.zeros(())
    if name == "Rotate":
        angle = argument * (jnp.pi / 180)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        rows = [cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]
    else:
        rows = [one, zero, zero], [zero, one, zero]
        place = {"ShearX": (0, 1), "ShearY": (1, 0), "TranslateX": (0, 2), "TranslateY": (1, 2)}
        if name in place:
            row, column = place[name]
            rows[row][column] = argument
    return jnp.stack([jnp.stack(row) for row in rows])


def auto_contrast(image: jax.Array, argument: jax.Array) -> jax.Array:
    low, high = (reduce(image, axis=(0, 1)) for reduce in (jnp.min, jnp.max))
    scale = 255.0 / jnp.where(high > low, high - low, 1.0)
    scaled = jnp.floor(jnp.clip(image * scale - low * scale, 0, 255))
    return jnp.where(high > low, scaled, image)


def equalize(image: jax.Array, argument: jax.Array) -> jax.Array:
    def channel(values: jax.Array) -> jax.Array:
        values = values.astype(jnp.int32)
        counts = jnp.zeros(256, jnp.int32).at[values.ravel()].add(1)
        # All but the pixels of the largest value, in 255 steps.
        step = (values.size - counts[values.max()]) // 255
        upto = (jnp.cumsum(counts) - counts + step // 2) // jnp.maximum(step, 1)
        table = jnp.where(jnp.arange(256) == 0, 0, jnp.clip(upto, 0, 255))
        return jnp.where(step == 0, values, table[values]).astype(jnp.float32)

    return jax.vmap(channel, in_axes=-1, out_axes=-1)(image)


def invert(image: jax.Array, argument: jax.Array) -> jax.Array:
    return 255.0 - image


def posterize(image: jax.Array, bits: jax.Array) -> jax.Array:
    # At least the highest bit stays, as TensorFlow shifts uint8 by no more than 7.
    shift = jnp.clip(8 - bits.astype(jnp.int32), 0, 7)
    return ((image.astype(jnp.int32) >> shift) << shift).astype(jnp.float32)


def solarize(image: jax.Array, threshold: jax.Array) -> jax.Array:
    return jnp.where(image < threshold, image, 255.0 - image)


def solarize_add(image: jax.Array, addition: jax.Array) -> jax.Array:
    return jnp.where(image < 128, jnp.clip(image + addition, 0, 255), image)


def color(image: jax.Array, factor: jax.Array) -> jax.Array:
    grey = jnp.tensordot(image / 255, jnp.array(LUMA), 1)[..., None]
    return _blend(jnp.floor(grey * 255.5), image, factor)


def contrast(image: jax.Array, factor: jax.Array) -> jax.Array:
    pixels = image / 255
    mean = jnp.mean(pixels, axis=(0, 1))
    return jnp.floor(jnp.clip(((pixels - mean) * factor + mean) * 255.5, 0, 255))


def brightness(image: jax.Array, factor: jax.Array) -> jax.Array:
    return _blend(jnp.zeros_like(image), image, factor)


def sharpness(image: jax.Array, factor: jax.Array) -> jax.Array:
    height, width, _ = image.shape
    around = sum(image[y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3))
    smooth = jnp.floor((around + 4 * image[1:-1, 1:-1]) / 13)
    return _blend(image.at[1:-1, 1:-1].set(smooth), image, factor)


def _blend(one: jax.Array, other: jax.Array, factor: jax.Array) -> jax.Array:
    return jnp.floor(jnp.clip(one + factor * (other - one), 0, 255))


RECOLOURINGS = {
    "AutoContrast": auto_contrast,
    "Equalize": equalize,
    "Invert": invert,
    "Posterize": posterize,
    "Solarize": solarize,
    "SolarizeAdd": solarize_add,
    "Color": color,
    "Contrast": contrast,
    "Brightness": brightness,
    "Sharpness": sharpness,
}
