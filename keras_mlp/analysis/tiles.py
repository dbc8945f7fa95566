"""Many small maps as one image."""

import math

import numpy as np

from keras_mlp.typing import Array

_NEGATIVE, _POSITIVE = np.array([33, 102, 172.0]), np.array([178, 24, 43.0])
_GAP = 2
_SIDE = 48


def tiled_picture(maps: Array) -> Array:
    """Draws maps side by side, in reading order: blue below zero, white at zero, red above.

    Each map is divided by its own largest absolute value, so that weak ones are visible too, and
    enlarged by an integer factor to about 48 pixels.

    Args:
        maps: one or more maps (units, h, w) of finite numbers.

    Returns:
        A uint8 array (H, W, 3) with white gaps between the maps.
    """
    units, height, width = maps.shape
    peaks = np.abs(maps).max(axis=(1, 2), keepdims=True)
    coloured = _colours(maps / np.where(peaks > 0, peaks, 1))
    factor = max(1, _SIDE // max(height, width))
    large = coloured.repeat(factor, axis=1).repeat(factor, axis=2)
    tiles = np.pad(large, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    columns = math.ceil(math.sqrt(units))
    rows = math.ceil(units / columns)
    missing = rows * columns - units
    tiles = np.pad(tiles, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    tiles = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    picture = tiles.reshape(rows * tiles.shape[1], -1, 3)
    return picture[:-_GAP, :-_GAP]


def _colours(values: Array) -> Array:
    """Numbers in [-1, 1] -> RGB colours on a new last axis, uint8."""
    ends = np.where(values[..., None] < 0, _NEGATIVE, _POSITIVE)
    strength = np.abs(values)[..., None]
    return np.rint(255 + strength * (ends - 255)).astype("uint8")
