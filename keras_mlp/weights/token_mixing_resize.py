"""Fitting weights over a grid of tokens to another grid, in numpy.

**Interpolation.** W' = U W U+, where U reads a field on the old grid at the points of a finer one:
see `keras_mlp.layers.token_grid`, whose function serves layers inside the graph too.

**Copies.** A grid whose sides are multiples of the old ones can also be cut into sub-grids, each
with the old weights: block-diagonal, as in appendix C of the MLP-Mixer paper (arXiv:2105.01601).
"""

from collections.abc import Sequence

import numpy as np

from keras_mlp.arguments import check_choice, check_pair, check_positive_int
from keras_mlp.layers.token_grid import HIDDEN, IN, OUT, fit_tokens
from keras_mlp.models.token_mixing import OTHER
from keras_mlp.typing import Array, Pair

ROLES = (IN, OUT, HIDDEN, OTHER)


def interpolate_tokens(
    array: Array,
    roles: Sequence[str],
    grid: Pair,
    new_grid: Pair,
    *,
    class_token: bool = False,
    channels: int = 1,
) -> Array:
    """Interpolates a weight from one grid of tokens to another: W' = U W U+.

    U reads a field on the old grid at the points of a finer one, bicubic; U+ is its pseudo-inverse.
    W' is the smallest kernel for which reading and mixing commute. Sums over the input tokens stay
    exactly the same, and so do values that are constant over the output tokens.

    Args:
        array: numpy array.
        roles: what each axis of `array` runs over: "in", "out", "hidden" or "other".
        grid: (h, w) of the tokens, or one number for both.
        new_grid: the same for the new tokens.
        class_token: whether the first entry of "in" and "out" axes belongs to a class token, which
            is kept unchanged.
        channels: number of entries per token in "in" and "out" axes, where those of a token are
            neighbours, as in `VisionPermutator`.

    Returns:
        An array of the same dtype. Token axes have h' * w' entries per channel, plus one for a
        class token.

    Raises:
        ValueError: a role is unknown, or a token axis does not fit `grid`.

    Example:

    >>> kernel = interpolate_tokens(numpy.ones((4, 4)), ("in", "out"), (2, 2), (4, 4))
    >>> kernel.shape, kernel.sum(axis=0).round(9).tolist()[:2]
    ((16, 16), [4.0, 4.0])
    """
    channels = check_positive_int("channels", channels)
    array, old, new = _checked(array, roles, grid, new_grid, class_token, channels)
    resized: Array = fit_tokens(array.astype("float64"), roles, (old, new), int(class_token))
    return resized.astype(array.dtype)


def copy_tokens(array: Array, roles: Sequence[str], grid: Pair, new_grid: Pair) -> Array:
    """Gives every sub-grid of a grid of tokens its own copy of a weight (block-diagonal).

    With tokens in row-major order the tokens of a sub-grid are not contiguous, so neither are the
    entries of its copy.

    Args:
        array, roles, grid: as for `interpolate_tokens`.
        new_grid: (h, w), multiples of the sides of `grid`, or one number for both.

    Returns:
        An array of the same dtype; K sub-grids multiply the token and hidden axes by K. Entries
        between two sub-grids are 0.

    Raises:
        ValueError: a role is unknown, a token axis does not fit `grid`, or a side of `new_grid` is
            not a multiple of that of `grid`.

    Example:

    >>> copy_tokens(numpy.array([1, 2]), ("out",), (1, 2), (1, 4)).tolist()
    [1, 2, 1, 2]
    >>> copy_tokens(numpy.array([1, 2]), ("out",), (1, 2), (2, 2)).tolist()
    [1, 2, 1, 2]
    """
    array, old, new = _checked(array, roles, grid, new_grid, class_token=False)
    positions = _sub_grids(old, new)
    spots = [_spots(role, size, positions) for role, size in zip(roles, array.shape, strict=True)]
    copied = np.zeros([1 + each.max() for each in spots], array.dtype)
    for indices in zip(*spots, strict=True):
        copied[np.ix_(*indices)] = array
    return copied


def _checked(
    array: Array,
    roles: Sequence[str],
    grid: Pair,
    new_grid: Pair,
    class_token: bool,
    channels: int = 1,
) -> tuple[Array, tuple[int, int], tuple[int, int]]:
    """Returns the array and both grids as pairs, or raises ValueError."""
    array, grid, new_grid = (
        np.asarray(array),
        check_pair("grid", grid),
        check_pair("new_grid", new_grid),
    )
    for role in roles:
        check_choice("roles", role, ROLES)
    tokens = grid[0] * grid[1] * channels + class_token
    if len(roles) != array.ndim or any(
        size != tokens for role, size in zip(roles, array.shape, strict=True) if role in (IN, OUT)
    ):
        raise ValueError(
            f"`array` of shape {array.shape} does not have the axes `roles`={tuple(roles)} for "
            f"`grid`={grid}: {tokens} tokens."
        )
    return array, grid, new_grid


def _sub_grids(grid: tuple[int, int], new_grid: tuple[int, int]) -> Array:
    """The positions of each sub-grid's tokens in the new sequence, (copies, S)."""
    if new_grid[0] % grid[0] or new_grid[1] % grid[1]:
        raise ValueError(
            f"`new_grid`={new_grid} must have sides that are multiples of `grid`={grid}."
        )
    rows, columns = new_grid[0] // grid[0], new_grid[1] // grid[1]
    positions = np.arange(new_grid[0] * new_grid[1]).reshape(rows, grid[0], columns, grid[1])
    return positions.transpose(0, 2, 1, 3).reshape(rows * columns, -1)


def _spots(role: str, size: int, positions: Array) -> Array:
    """Where every copy puts the entries of an axis, (copies, size)."""
    if role in (IN, OUT):
        return positions
    if role == HIDDEN:
        return np.arange(len(positions) * size).reshape(-1, size)
    return np.tile(np.arange(size), (len(positions), 1))
