"""Position embeddings for another image size, in the four ways of published code."""

import math
from collections.abc import Callable

import numpy as np

from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.layers.resampling import (
    bicubic_antialias_matrix,
    bilinear_matrix,
    half_pixel_centres,
    keys_kernel,
    linear_matrix,
)
from keras_mlp.typing import Array, Pair


def resize_positions(
    table: Array,
    new_grid: Pair,
    *,
    method: str = "bicubic_antialias",
    grid: Pair | None = None,
    class_token: bool | int = True,
) -> Array:
    """Interpolates the position embeddings of a Vision Transformer to another grid.

    Fine-tune afterwards: interpolation alone costs accuracy.

    Args:
        table: numpy array (1, 1 + h * w, C), or (1, h * w, C) without a class token.
        new_grid: (height, width) of the new grid of tokens, or one number for both.
        method: "bicubic_antialias", timm's default; "bicubic", the same without antialiasing (as
            PyTorch's `interpolate`); "bilinear", as timm does for Google's files; "zoom", as
            Google's JAX code does: bilinear with aligned corners.
        grid: (h, w) of the table, or one number for both; None for a square grid.
        class_token: whether the first row belongs to a class token, which is kept unchanged; or
            the number of such rows, with register tokens.

    Returns:
        An array (1, 1 + height * width, C), or (1, height * width, C) without a class token, with
        the dtype of the table.

    Raises:
        ValueError: an argument is out of range, or the number of rows does not match `grid`.

    Example:

    >>> resize_positions(numpy.zeros((1, 1 + 4 * 4, 8)), (5, 7)).shape
    (1, 36, 8)
    """
    axis_matrix = _METHODS[check_choice("method", method, _METHODS)]
    new_size, table = check_pair("new_grid", new_grid), np.asarray(table)
    if table.ndim != 3 or table.shape[0] != 1:
        raise ValueError(f"`table` must have shape (1, tokens, channels), got {table.shape}.")
    first, positions = np.split(table, [int(class_token)], axis=1)
    size = _grid_of(positions.shape[1], grid)
    if new_size == size:
        return table
    rows, columns = map(axis_matrix, size, new_size)
    positions = positions.reshape(*size, -1)
    resized = np.einsum("iy,jx,yxc->ijc", rows, columns, positions, optimize=True)
    resized = resized.reshape(1, new_size[0] * new_size[1], -1).astype(table.dtype)
    return np.concatenate([first, resized], axis=1)


def _grid_of(tokens: int, grid: Pair | None) -> tuple[int, int]:
    """Returns the (h, w) grid of the tokens."""
    if grid is None:
        side = math.isqrt(tokens)
        if tokens == 0 or side * side != tokens:
            raise ValueError(f"`grid` must be given: {tokens} tokens do not form a square.")
        return side, side
    grid = check_pair("grid", grid)
    if grid[0] * grid[1] != tokens:
        raise ValueError(f"`grid`={grid} does not fit a table of {tokens} tokens.")
    return grid


def _zoom_matrix(size: int, new_size: int) -> Array:
    """Linear; the first and last output read the first and last input, as `scipy.ndimage.zoom`."""
    return linear_matrix(np.linspace(0, size - 1, new_size), size)


def _bicubic_matrix(size: int, new_size: int) -> Array:
    """Bicubic over four neighbours; inputs at the ends are repeated beyond them."""
    centres = half_pixel_centres(size, new_size)
    matrix = np.zeros((new_size, size))
    for offset in (-1, 0, 1, 2):
        taps = np.floor(centres).astype(int) + offset
        weights = keys_kernel(taps - centres, a=-0.75)
        np.add.at(matrix, (np.arange(new_size), np.clip(taps, 0, size - 1)), weights)
    return matrix


_METHODS: dict[str, Callable[[int, int], Array]] = {
    "bicubic_antialias": bicubic_antialias_matrix,
    "bicubic": _bicubic_matrix,
    "bilinear": bilinear_matrix,
    "zoom": _zoom_matrix,
}
