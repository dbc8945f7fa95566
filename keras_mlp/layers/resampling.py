"""Resampling of a table of numbers along one axis, as a matrix."""

import numpy as np


def bilinear_matrix(size, new_size):
    """The matrix that interpolates linearly between neighbours, with pixel centres at halves.

    Output i lies at (i + 0.5) * size / new_size - 0.5, clamped to the first and the last input. No
    antialiasing: a smaller output skips inputs. The same as PyTorch's `interpolate` with
    `align_corners=False`.

    Args:
        size: number of inputs.
        new_size: number of outputs.

    Returns:
        A float64 numpy array (new_size, size); its rows sum to 1.

    >>> bilinear_matrix(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    return linear_matrix(half_pixel_centres(size, new_size), size)


def half_pixel_centres(size, new_size):
    """Where the centres of `new_size` pixels lie among the centres of `size` pixels."""
    return (np.arange(new_size) + 0.5) * size / new_size - 0.5


def linear_matrix(positions, size):
    """The matrix that reads `size` inputs at fractional positions, clamped to the ends."""
    positions = np.clip(positions, 0, size - 1)
    return np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(size)))
