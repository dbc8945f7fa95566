"""Affine against its formula."""

import numpy as np
import pytest

from keras_mlp.layers import Affine

X = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")


def test_starts_as_the_identity():
    np.testing.assert_array_equal(Affine()(X), X)


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 3, 2, 4), (3, 4)])
def test_equals_its_formula(shape):
    layer, x = Affine(), np.resize(X, shape)
    layer.build(shape)
    alpha, beta = np.array([1, 2, 3, 4], "float32"), np.array([5, 6, 7, 8], "float32")
    layer.set_weights([alpha, beta])
    np.testing.assert_allclose(layer(x), alpha * x + beta, rtol=1e-6)


def test_takes_no_statistics():
    # Unlike a normalisation, the layer is not affected by the scale of a token's channels.
    layer = Affine()
    np.testing.assert_array_equal(layer(100 * X), 100 * X)


def test_is_rebuilt_from_its_config():
    layer = Affine(name="norm", dtype="mixed_bfloat16")
    assert Affine.from_config(layer.get_config()).get_config() == layer.get_config()
