"""SpatialGatingUnit against plain numpy."""

import numpy as np
import pytest

from keras_mlp.layers import SpatialGatingUnit

X = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")


def built(**overrides):
    """The unit with weights that are not at their initial 0 or 1."""
    layer = SpatialGatingUnit(**overrides)
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def gating(x, weights, epsilon=1e-5, attention=0.0):
    gamma, beta, kernel, bias = weights
    values, gate = x[..., :4], x[..., 4:]
    centred = gate - gate.mean(-1, keepdims=True)
    gate = centred / np.sqrt(gate.var(-1, keepdims=True) + epsilon) * gamma + beta
    return values * (np.einsum("bsc,st->btc", gate, kernel) + bias[:, None] + attention)


def test_equals_numpy():
    layer = built()
    np.testing.assert_allclose(layer(X), gating(X, layer.get_weights()), rtol=0, atol=1e-5)


def test_attention_is_added_to_the_gate():
    layer = built()
    attention = np.random.default_rng(2).normal(size=(2, 6, 4)).astype("float32")
    expected = gating(X, layer.get_weights(), attention=attention)
    np.testing.assert_allclose(layer(X, attention), expected, rtol=0, atol=1e-5)


def test_builds_itself_around_both_inputs():
    assert tuple(SpatialGatingUnit()(X, X[..., 4:]).shape) == (2, 6, 4)


@pytest.mark.parametrize("epsilon", [1e-5, 1e-2])
def test_uses_its_epsilon(epsilon):
    x = X.copy()
    x[..., 4:] *= 1e-2  # so small a variance that the epsilon matters
    layer = built(layer_norm_epsilon=epsilon)
    expected = gating(x, layer.get_weights(), epsilon)
    np.testing.assert_allclose(layer(x), expected, rtol=0, atol=1e-4)
    assert np.abs(expected - gating(x, layer.get_weights(), epsilon / 10)).max() > 1e-2


def test_the_epsilon_is_1e_5_unless_told():
    assert SpatialGatingUnit().layer_norm_epsilon == 1e-5


def test_starts_with_every_gate_at_1():
    layer = SpatialGatingUnit()
    np.testing.assert_allclose(layer(X), X[..., :4], rtol=0, atol=1e-4)
    weights = {weight.path.partition("/")[2]: np.asarray(weight) for weight in layer.weights}
    np.testing.assert_array_equal(weights["token_linear/bias"], 1)
    kernel = weights["token_linear/kernel"]
    assert 5e-7 < kernel.std() < 2e-6  # small, yet not 0: all tokens' gradients differ


def test_weights_have_the_width_of_the_tokens():
    shapes = {w.path.partition("/")[2]: tuple(w.shape) for w in built().weights}
    assert shapes == {
        "norm/gamma": (4,),
        "norm/beta": (4,),
        "token_linear/kernel": (6, 6),
        "token_linear/bias": (6,),
    }


def test_is_rebuilt_from_its_config():
    layer = built(layer_norm_epsilon=1e-3, name="gate", dtype="mixed_bfloat16")
    copy = SpatialGatingUnit.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


def test_refuses_an_odd_number_of_channels():
    with pytest.raises(ValueError, match=r"even number of channels, got \(2, 6, 7\)"):
        SpatialGatingUnit()(X[..., :7])


def test_refuses_a_bad_epsilon():
    with pytest.raises(ValueError, match=r"`layer_norm_epsilon` must be .* above 0.*, got 0"):
        SpatialGatingUnit(layer_norm_epsilon=0)
