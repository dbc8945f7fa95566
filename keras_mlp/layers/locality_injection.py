"""Convolutions and BatchNorms as matrices, in numpy: the arithmetic behind deployed RepMLPs.

Computed in float64, so that folding adds no error of its own.
"""

import numpy as np


def batch_norm_affine(layer):
    """Scale and shift, one per feature, that a BatchNorm applies at inference.

    Args:
        layer: built `keras.layers.BatchNormalization`.

    Returns:
        (scale, shift), float64.
    """
    mean, variance = _float64(layer.moving_mean), _float64(layer.moving_variance)
    gamma = _float64(layer.gamma) if layer.scale else 1.0
    beta = _float64(layer.beta) if layer.center else 0.0
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def merged_convolutions(kernels, norms):
    """One convolution that equals a sum of convolutions, each followed by its BatchNorm.

    Args:
        kernels: arrays (k, k, inputs, outputs) of odd sizes k, at least one.
        norms: as many built `keras.layers.BatchNormalization`.

    Returns:
        (kernel, bias), the kernel as large as the largest.
    """
    size = max(kernel.shape[0] for kernel in kernels)
    total, bias = 0.0, 0.0
    for kernel, norm in zip(kernels, norms, strict=True):
        scale, shift = batch_norm_affine(norm)
        margin = (size - kernel.shape[0]) // 2
        edges = ((margin, margin), (margin, margin), (0, 0), (0, 0))
        total = total + np.pad(_float64(kernel) * scale, edges)
        bias = bias + shift
    return total, bias


def convolution_matrix(kernel, height, width):
    """The matrix of a zero-padded convolution of stride 1 over maps of one size.

    Args:
        kernel: (k, k, inputs, outputs) with odd k.
        height, width: of the maps.

    Returns:
        Array (inputs, height, width, outputs, height, width), from pixels to pixels.
    """
    size, _, inputs, outputs = kernel.shape
    matrix = np.zeros((inputs, height, width, outputs, height, width))
    reach = size // 2
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            # Output (y, x) sees input (y + down, x + right), where that is inside the map.
            y = np.arange(max(0, -down), min(height, height - down))[:, None]
            x = np.arange(max(0, -right), min(width, width - right))[None, :]
            taps = kernel[down + reach, right + reach]
            matrix[:, y + down, x + right, :, y, x] = taps
    return matrix


def _float64(array):
    return np.asarray(array, "float64")
