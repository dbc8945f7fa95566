"""Resampling along one axis, as a matrix."""

from collections.abc import Callable

import numpy as np

from keras_mlp.typing import Array


def bilinear_matrix(size: int, new_size: int) -> Array:
    """Returns the matrix of linear interpolation with half-pixel centres.

    Output i reads position (i + 0.5) * size / new_size - 0.5, clamped to the first and last input,
    without antialiasing: a smaller output skips inputs. This equals PyTorch's `interpolate` with
    `align_corners=False`.

    Args:
        size: number of inputs.
        new_size: number of outputs.

    Returns:
        A float64 numpy array (new_size, size) whose rows sum to 1.

    >>> bilinear_matrix(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    return linear_matrix(half_pixel_centres(size, new_size), size)


def bilinear_antialias_matrix(size: int, new_size: int) -> Array:
    """Returns the matrix of linear interpolation with antialiasing, as TensorFlow and PIL do it.

    If the output is smaller, the triangle is widened. At the ends it is truncated and normalised.

    Args:
        size: number of inputs.
        new_size: number of outputs.

    Returns:
        A float64 numpy array (new_size, size) whose rows sum to 1.
    """
    return _antialiased(size, new_size, lambda x: np.maximum(0.0, 1.0 - np.abs(x)))


def bicubic_antialias_matrix(size: int, new_size: int) -> Array:
    """Returns the matrix of bicubic interpolation with antialiasing, as timm and PyTorch do it.

    If the output is smaller, the kernel is widened. At the ends it is truncated and normalised.

    Args:
        size: number of inputs.
        new_size: number of outputs.

    Returns:
        A float64 numpy array (new_size, size) whose rows sum to 1.
    """
    return _antialiased(size, new_size, lambda x: keys_kernel(x, a=-0.5))


def _antialiased(size: int, new_size: int, kernel: Callable[[Array], Array]) -> Array:
    """Interpolation by a kernel, widened if the output is smaller, and normalised."""
    distances = np.arange(size) - half_pixel_centres(size, new_size)[:, None]
    matrix = kernel(distances / max(size / new_size, 1.0))
    return matrix / matrix.sum(axis=1, keepdims=True)


def keys_kernel(x: Array, a: float) -> Array:
    """Keys' cubic convolution (1981). PyTorch uses a = -0.75, and -0.5 with antialiasing."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def half_pixel_centres(size: int, new_size: int) -> Array:
    """Returns the centres of `new_size` pixels in units of `size` pixels over the same length."""
    return (np.arange(new_size) + 0.5) * size / new_size - 0.5


def linear_matrix(positions: Array, size: int) -> Array:
    """Returns the matrix that reads `size` inputs at fractional positions, clamped to the ends."""
    positions = np.clip(positions, 0, size - 1)
    return np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(size)))
