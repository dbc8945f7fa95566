"""Learned positions for another image size, in the four ways that published code uses."""

import math

import numpy as np

from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.layers.resampling import bilinear_matrix, half_pixel_centres, linear_matrix


def resize_positions(table, new_grid, *, method="bicubic_antialias", grid=None, class_token=True):
    """Interpolates the position table of a Vision Transformer to another grid.

    Fine-tuning should follow: interpolated positions alone cost accuracy.

    Args:
        table: numpy array (1, 1 + h * w, C), or (1, h * w, C) without a class token.
        new_grid: (height, width) of the new grid of tokens, or one number for both.
        method: "bicubic_antialias", timm's default; "bicubic", the same without antialiasing (as
            PyTorch's `interpolate`); "bilinear", what timm does to Google's files; "zoom", what
            Google's JAX code does: bilinear with the corners kept in place.
        grid: (h, w) of the table, or one number for both; None for a square one.
        class_token: whether the first row belongs to a class token; it is kept as it is.

    Returns:
        Array (1, 1 + height * width, C), or without the first row, of the table's dtype.

    Raises:
        ValueError: an argument is out of range, or the table does not have the rows of `grid`.

    Example:

    >>> resize_positions(numpy.zeros((1, 1 + 4 * 4, 8)), (5, 7)).shape
    (1, 36, 8)
    """
    axis_matrix = _METHODS[check_choice("method", method, _METHODS)]
    new_grid, table = check_pair("new_grid", new_grid), np.asarray(table)
    if table.ndim != 3 or table.shape[0] != 1:
        raise ValueError(f"`table` must have shape (1, tokens, channels), got {table.shape}.")
    first, positions = np.split(table, [int(class_token)], axis=1)
    grid = _grid_of(positions.shape[1], grid)
    if new_grid == grid:
        return table
    rows, columns = map(axis_matrix, grid, new_grid)
    positions = positions.reshape(*grid, -1)
    resized = np.einsum("iy,jx,yxc->ijc", rows, columns, positions, optimize=True)
    resized = resized.reshape(1, new_grid[0] * new_grid[1], -1).astype(table.dtype)
    return np.concatenate([first, resized], axis=1)


def _grid_of(tokens, grid):
    """The (h, w) grid that so many tokens form."""
    if grid is None:
        side = math.isqrt(tokens)
        if tokens == 0 or side * side != tokens:
            raise ValueError(f"`grid` must be given: {tokens} tokens do not form a square.")
        return side, side
    grid = check_pair("grid", grid)
    if grid[0] * grid[1] != tokens:
        raise ValueError(f"`grid`={grid} does not fit a table of {tokens} tokens.")
    return grid


def _zoom_matrix(size, new_size):
    """The first and last output lie on the first and last input, as in `scipy.ndimage.zoom`."""
    return linear_matrix(np.linspace(0, size - 1, new_size), size)


def _bicubic_matrix(size, new_size):
    """Four neighbours; beyond the ends the last input is repeated."""
    centres = half_pixel_centres(size, new_size)
    matrix = np.zeros((new_size, size))
    for offset in (-1, 0, 1, 2):
        taps = np.floor(centres).astype(int) + offset
        weights = _keys_kernel(taps - centres, a=-0.75)
        np.add.at(matrix, (np.arange(new_size), np.clip(taps, 0, size - 1)), weights)
    return matrix


def _bicubic_antialias_matrix(size, new_size):
    """The kernel is widened where the output is smaller, and cut off at the ends."""
    distances = np.arange(size) - half_pixel_centres(size, new_size)[:, None]
    matrix = _keys_kernel(distances / max(size / new_size, 1.0), a=-0.5)
    return matrix / matrix.sum(axis=1, keepdims=True)


def _keys_kernel(x, a):
    """Keys' cubic convolution (1981); PyTorch takes a = -0.75, and -0.5 where it antialiases."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


_METHODS = {
    "bicubic_antialias": _bicubic_antialias_matrix,
    "bicubic": _bicubic_matrix,
    "bilinear": bilinear_matrix,
    "zoom": _zoom_matrix,
}
