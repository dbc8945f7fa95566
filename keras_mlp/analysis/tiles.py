"""Many small maps as one image."""

import math

import numpy as np

from keras_mlp.typing import Array

_NEGATIVE, _POSITIVE = np.array([33, 102, 172.0]), np.array([178, 24, 43.0])
_SIDE = 48


def tiled_picture(maps: Array, gap: int = 2, shade: int = 255) -> Array:
    """Draws maps side by side, in reading order: blue below zero, white at zero, red above.

    Each map is divided by its own largest absolute value, so that weak ones are visible too, and
    enlarged by an integer factor to about 48 pixels.

    Args:
        maps: one or more maps (units, h, w) of finite numbers.
        gap: pixels between the maps.
        shade: grey level of the gaps, 255 for white.

    Returns:
        A uint8 array (H, W, 3).
    """
    peaks = np.abs(maps).max(axis=(1, 2), keepdims=True)
    return tiled(_colours(maps / np.where(peaks > 0, peaks, 1)), gap, shade)


def tiled(images: Array, gap: int, shade: int) -> Array:
    """Arranges small images side by side, in reading order, as near to a square as possible.

    Args:
        images: uint8 (units, h, w, 3), enlarged by an integer factor to about 48 pixels.
        gap, shade: pixels between the images, and their grey level.

    Returns:
        A uint8 array (H, W, 3).
    """
    units, height, width, _ = images.shape
    factor = max(1, _SIDE // max(height, width))
    large = images.repeat(factor, axis=1).repeat(factor, axis=2)
    tiles = np.pad(large, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=shade)
    columns = math.ceil(math.sqrt(units))
    rows = math.ceil(units / columns)
    missing = rows * columns - units
    tiles = np.pad(tiles, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    tiles = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    picture = tiles.reshape(rows * tiles.shape[1], -1, 3)
    return picture[: len(picture) - gap, : picture.shape[1] - gap]


def _colours(values: Array) -> Array:
    """Numbers in [-1, 1] -> RGB colours on a new last axis, uint8."""
    ends = np.where(values[..., None] < 0, _NEGATIVE, _POSITIVE)
    strength = np.abs(values)[..., None]
    return np.rint(255 + strength * (ends - 255)).astype("uint8")
