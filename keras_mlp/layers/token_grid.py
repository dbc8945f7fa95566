"""Fitting weights over a grid of tokens to another grid, in numpy or inside the graph.

Let the matrix U, of shape (S', S), read a field on the old grid at the points of a finer one:
bicubic, each row sums to 1. A kernel W, from S tokens to S tokens, fits the finer grid if it
commutes with reading: W' U x = U W x for every field x. The smallest W' that does is

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

W' is linear in W. Inside the graph of a layer, gradients therefore reach W, and one stored kernel
is trained through every grid.
"""

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from keras import ops

from keras_mlp.layers.resampling import bicubic_antialias_matrix
from keras_mlp.typing import Array, Tensor

# What an axis of a weight runs over.
IN = "in"  # tokens that the weight sums over
OUT = "out"  # tokens that it returns, or one number per token
HIDDEN = "hidden"  # hidden units of a token MLP

# The (h, w) of the grid that weights are stored for, and the (h, w) of the grid of the inputs.
Grids: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


def fit_tokens(
    weight: Tensor, roles: Sequence[str], grids: Grids | None, front_tokens: int = 0
) -> Tensor:
    """Fits a weight over tokens to another grid: W' = U W U+, as the top of this file says.

    Args:
        weight: a numpy array, or a variable or tensor inside a graph.
        roles: what each axis runs over. Axes of "in" and "out" have one entry per token, row by
            row, or several that belong to the token.
        grids: (grid of the weight, grid of the result); None to return the weight as it is.
        front_tokens: number of tokens in front of the grid, whose entries are kept.

    Returns:
        An array or tensor of the same dtype.
    """
    if grids is None:
        return weight
    for axis, role in enumerate(roles):
        if role in (IN, OUT):
            matrices = [side_matrix(*sides, role) for sides in zip(*grids, strict=True)]
            weight = along_grid(weight, axis, grids[0], matrices, front_tokens)
    return weight


@functools.lru_cache(maxsize=1024)
def side_matrix(size: int, new_size: int, role: str) -> Array | None:
    """The matrix (new_size, size) for one side of the grid; None where the size stays."""
    if size == new_size:
        return None
    if new_size > size:
        reading = bicubic_antialias_matrix(size, new_size)
        return reading if role == OUT else np.linalg.pinv(reading).T
    reading = bicubic_antialias_matrix(new_size, size)
    return np.linalg.pinv(reading) if role == OUT else reading.T


def along_grid(
    weight: Tensor,
    axis: int,
    grid: tuple[int, int],
    matrices: Sequence[Array | None],
    front_tokens: int = 0,
) -> Tensor:
    """Multiplies an axis over a grid by one matrix per side.

    Args:
        weight: numpy array, or a variable or tensor; a result of the same dtype.
        axis: the axis with the tokens of the grid, row by row.
        grid: (h, w) of the tokens.
        matrices: (h', h) and (w', w); None for a side that stays.
        front_tokens: number of entries in front of the grid, which are kept.
    """
    namespace: Any = np if isinstance(weight, np.ndarray) else ops
    weight = namespace.moveaxis(weight, axis, 0)
    rest = tuple(weight.shape[1:])
    field = weight[front_tokens:]
    rows, columns = (_constant(matrix, weight) for matrix in matrices)
    if rows is not None:
        field = namespace.matmul(rows, namespace.reshape(field, (grid[0], -1)))
    if columns is not None:
        height = grid[0] if rows is None else rows.shape[0]
        field = namespace.matmul(columns, namespace.reshape(field, (height, grid[1], -1)))
    field = namespace.reshape(field, (-1, *rest))
    if front_tokens:
        field = namespace.concatenate([weight[:front_tokens], field], axis=0)
    return namespace.moveaxis(field, 0, axis)


def _constant(matrix: Array | None, like: Tensor) -> Tensor:
    if matrix is None or isinstance(like, np.ndarray):
        return matrix
    return ops.cast(ops.convert_to_tensor(matrix.astype("float32")), like.dtype)
