"""The arithmetic, in numpy, of fitting weights over a grid of tokens to another grid.

**Interpolation.** Let the matrix U, of shape (S', S), read a field on the old grid at the points of
a finer one: bicubic, each row sums to 1. A kernel W, from S tokens to S tokens, fits the finer grid
if it commutes with reading: W' U x = U W x for every field x. The smallest W' that does is

    W' = U W U+        (U+ is the pseudo-inverse: the field that, once read, fits best)

So output tokens are interpolated, without a factor, and the axis that is summed over goes through
U+, which holds the factor that a sum over more tokens needs: the columns of U are nearly orthogonal
with squared length S' / S, so U+ is nearly S / S' times the transpose of U, as for a kernel that is
a density over the picture. U 1 = 1 and U+ U = 1 give U+ 1 = 1: sums over the input stay exactly the
same, and so does the output for a constant input. U is a Kronecker product of one matrix for each
side of the grid, both well conditioned.

On a coarser grid the roles swap: U reads the new grid at the points of the old one, and
W' = U+ W U, which drops the detail that the new grid cannot hold. Enlarging and then shrinking
restores the weight exactly: U+ (U W U+) U = W.

**Copies.** A grid whose sides are multiples of the old ones can also be cut into sub-grids, each
with the old weights: block-diagonal, as in appendix C of the MLP-Mixer paper (arXiv:2105.01601).
"""

from collections.abc import Sequence

import numpy as np

from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.models.token_mixing import HIDDEN, IN, OTHER, OUT
from keras_mlp.typing import Array, Pair
from keras_mlp.weights.position_resize import resize_positions

ROLES = (IN, OUT, HIDDEN, OTHER)


def interpolate_tokens(
    array: Array,
    roles: Sequence[str],
    grid: Pair,
    new_grid: Pair,
    *,
    class_token: bool = False,
) -> Array:
    """Interpolates a weight from one grid of tokens to another.

    Sums over the input tokens stay exactly the same, and so do values that are constant over the
    output tokens. The top of this file describes the interpolation and the reason for it.

    Args:
        array: numpy array.
        roles: what each axis of `array` runs over: "in", "out", "hidden" or "other".
        grid: (h, w) of the tokens, or one number for both.
        new_grid: the same for the new tokens.
        class_token: whether the first entry of "in" and "out" axes belongs to a class token, which
            is kept unchanged.

    Returns:
        An array of the same dtype. Token axes have h' * w' entries, plus one for a class token.

    Raises:
        ValueError: a role is unknown, or a token axis does not fit `grid`.

    Example:

    >>> kernel = interpolate_tokens(numpy.ones((4, 4)), ("in", "out"), (2, 2), (4, 4))
    >>> kernel.shape, kernel.sum(axis=0).round(9).tolist()[:2]
    ((16, 16), [4.0, 4.0])
    """
    array, old, new = _checked(array, roles, grid, new_grid, class_token)
    resized = array.astype("float64")
    for axis, role in enumerate(roles):
        if role in (IN, OUT):
            matrices = [_axis_matrix(*sides, role) for sides in zip(old, new, strict=True)]
            resized = _along(resized, axis, old, matrices, int(class_token))
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
    array: Array, roles: Sequence[str], grid: Pair, new_grid: Pair, class_token: bool
) -> tuple[Array, tuple[int, int], tuple[int, int]]:
    """Returns the array and both grids as pairs, or raises ValueError."""
    array, grid, new_grid = (
        np.asarray(array),
        check_pair("grid", grid),
        check_pair("new_grid", new_grid),
    )
    for role in roles:
        check_choice("roles", role, ROLES)
    tokens = grid[0] * grid[1] + class_token
    if len(roles) != array.ndim or any(
        size != tokens for role, size in zip(roles, array.shape, strict=True) if role in (IN, OUT)
    ):
        raise ValueError(
            f"`array` of shape {array.shape} does not have the axes `roles`={tuple(roles)} for "
            f"`grid`={grid}: {tokens} tokens."
        )
    return array, grid, new_grid


def _axis_matrix(size: int, new_size: int, role: str) -> Array:
    """The matrix (new_size, size) for one side of the grid."""
    if size == new_size:
        return np.eye(size)
    if new_size > size:
        reading = _reading(size, new_size)
        return reading if role == OUT else np.linalg.pinv(reading).T
    reading = _reading(new_size, size)
    return np.linalg.pinv(reading) if role == OUT else reading.T


def _reading(size: int, new_size: int) -> Array:
    """U for one side, (new_size, size): `resize_positions` applied to each unit vector."""
    entries = np.eye(size)[None]
    return resize_positions(entries, (new_size, 1), grid=(size, 1), class_token=False)[0]


def _along(
    array: Array, axis: int, grid: tuple[int, int], matrices: Sequence[Array], skip: int
) -> Array:
    """Multiplies an axis over a grid by one matrix per side; keeps its first `skip` entries."""
    array = np.moveaxis(array, axis, 0)
    first, field = array[:skip], array[skip:].reshape(*grid, -1)
    field = np.einsum("iy,jx,yxc->ijc", *matrices, field, optimize=True)
    field = field.reshape(-1, *array.shape[1:])
    return np.moveaxis(np.concatenate([first, field]), 0, axis)


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
