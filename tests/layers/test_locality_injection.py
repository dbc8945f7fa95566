"""The arithmetic of folding, against the layers that it replaces."""

import keras
import numpy as np
import pytest

from keras_mlp.layers.locality_injection import (
    batch_norm_affine,
    convolution_matrix,
    merged_convolutions,
)
from tests.contract import with_random_weights

RNG = np.random.default_rng(0)


def batch_norm(*shape, **arguments):
    layer = keras.layers.BatchNormalization(epsilon=0.1, **arguments)
    layer.build((None, *shape))
    return with_random_weights(layer)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_a_batch_norm_is_a_scale_and_a_shift(scale, center):
    layer = batch_norm(5, scale=scale, center=center)
    x = RNG.normal(size=(3, 5)).astype("float32")
    factor, shift = batch_norm_affine(layer)
    np.testing.assert_allclose(layer(x), x * factor + shift, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("height", [1, 2, 6])
def test_a_convolution_is_a_matrix(size, height):
    kernel = RNG.normal(size=(size, size, 2, 3))
    x = RNG.normal(size=(2, height, 4, 2)).astype("float32")
    matrix = convolution_matrix(kernel, height, 4)
    expected = keras.ops.conv(x, kernel.astype("float32"), padding="same")
    outputs = np.einsum("nyxi,iyxovu->nvuo", x, matrix)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5)


def test_smaller_kernels_lie_in_the_middle_of_the_largest():
    kernels = [RNG.normal(size=(size, size, 2, 3)).astype("float32") for size in (3, 1, 5)]
    norms = [batch_norm(4, 6, 3) for _ in kernels]
    x = RNG.normal(size=(2, 4, 6, 2)).astype("float32")
    expected = sum(
        norm(keras.ops.conv(x, kernel, padding="same"))
        for kernel, norm in zip(kernels, norms, strict=True)
    )
    kernel, bias = merged_convolutions(kernels, norms)
    outputs = keras.ops.conv(x, kernel.astype("float32"), padding="same") + bias
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=2e-5)
