"""Convolutions and BatchNorms as matrices, in numpy: the arithmetic of deployed RepMLPs.

Computed in float64, so that folding adds no rounding error.
"""

from collections.abc import Sequence

import keras
import numpy as np

from keras_mlp.typing import Array, Tensor


def batch_norm_affine(layer: keras.layers.BatchNormalization) -> tuple[Array, Array]:
    """Returns the scale and shift, one per feature, that a BatchNorm applies at inference.

    Args:
        layer: a built BatchNorm.

    Returns:
        (scale, shift), float64 of shape (features,).
    """
    mean, variance = _float64(layer.moving_mean), _float64(layer.moving_variance)
    gamma = _float64(layer.gamma) if layer.scale else np.float64(1.0)
    beta = _float64(layer.beta) if layer.center else np.float64(0.0)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def merged_convolutions(
    kernels: Sequence[Tensor], norms: Sequence[keras.layers.BatchNormalization]
) -> tuple[Array, Array]:
    """Merges a sum of convolutions, each followed by its BatchNorm, into one convolution.

    Args:
        kernels: one or more arrays (k, k, inputs, outputs) with odd k.
        norms: a built BatchNorm per kernel.

    Returns:
        (kernel, bias), float64; the kernel has the size of the largest.
    """
    size = max(kernel.shape[0] for kernel in kernels)
    total, bias = np.zeros(()), np.zeros(())
    for kernel, norm in zip(kernels, norms, strict=True):
        scale, shift = batch_norm_affine(norm)
        margin = (size - kernel.shape[0]) // 2
        edges = ((margin, margin), (margin, margin), (0, 0), (0, 0))
        total = total + np.pad(_float64(kernel) * scale, edges)
        bias = bias + shift
    return total, bias


def convolution_matrix(kernel: Array, height: int, width: int) -> Array:
    """Returns the matrix of a zero-padded convolution with stride 1 over maps of a fixed size.

    Args:
        kernel: (k, k, inputs, outputs) with odd k.
        height: height of the maps in pixels.
        width: width of the maps in pixels.

    Returns:
        Float64 array (inputs, height, width, outputs, height, width), from input to output pixels.
    """
    size, _, inputs, outputs = kernel.shape
    matrix = np.zeros((inputs, height, width, outputs, height, width))
    reach = size // 2
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            # Output (y, x) reads input (y + down, x + right) where that is inside the map.
            y = np.arange(max(0, -down), min(height, height - down))[:, None]
            x = np.arange(max(0, -right), min(width, width - right))[None, :]
            taps = kernel[down + reach, right + reach]
            matrix[:, y + down, x + right, :, y, x] = taps
    return matrix


def _float64(array: Tensor) -> Array:
    return np.asarray(array, "float64")
