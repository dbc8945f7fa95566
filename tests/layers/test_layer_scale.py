"""LayerScale against its formula."""

import numpy as np
import pytest

from keras_mlp.layers import LayerScale

X = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")


@pytest.mark.parametrize("init_value", [0.1, 1e-6, 1])
def test_starts_at_its_value(init_value):
    np.testing.assert_allclose(LayerScale(init_value)(X), init_value * X, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 3, 2, 4), (3, 4)])
def test_has_a_factor_per_channel(shape):
    layer, x = LayerScale(0.1), np.resize(X, shape)
    layer.build(shape)
    gamma = np.array([1, -2, 3, 0], "float32")
    layer.set_weights([gamma])
    np.testing.assert_array_equal(layer(x), gamma * x)


def test_is_rebuilt_from_its_config():
    layer = LayerScale(1e-5, name="scale", dtype="mixed_bfloat16")
    assert LayerScale.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), True, "0.1", None])
def test_refuses_a_bad_value(value):
    with pytest.raises(ValueError, match="`init_value` must be a finite number above 0"):
        LayerScale(value)
