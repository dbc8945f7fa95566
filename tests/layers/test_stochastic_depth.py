"""StochasticDepth: which samples it drops, how often, and how it rescales the others."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import StochasticDepth
from keras_mlp.layers.stochastic_depth import linear_ramp

X = np.random.default_rng(0).uniform(1, 2, (4000, 2, 3)).astype("float32")


def kept_samples(outputs):
    """Which samples were kept, after a check that each was dropped or kept as a whole."""
    kept = np.asarray(outputs).astype("float32") != 0
    assert (kept == kept[:, :1, :1]).all()
    return kept[:, 0, 0]


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
def test_drops_whole_samples_at_its_rate_and_rescales_the_others(rate):
    outputs = np.asarray(StochasticDepth(rate, seed=3)(X, training=True))
    kept = kept_samples(outputs)
    # Five standard deviations of a mean of 4000 draws.
    assert abs((1 - kept.mean()) - rate) < 5 * np.sqrt(rate * (1 - rate) / len(X))
    np.testing.assert_allclose(outputs[kept], X[kept] / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_inference_is_the_identity(rate):
    np.testing.assert_array_equal(StochasticDepth(rate)(X, training=False), X)
    np.testing.assert_array_equal(StochasticDepth(rate)(X), X)


def test_rate_0_trains_as_the_identity_and_has_no_state():
    layer = StochasticDepth(0.0)
    np.testing.assert_array_equal(layer(X, training=True), X)
    assert layer.variables == []


def test_every_call_draws_anew():
    layer = StochasticDepth(0.5, seed=3)
    first, second = (kept_samples(layer(X, training=True)) for _ in range(2))
    assert 0.4 < (first == second).mean() < 0.6


def test_same_seed_drops_the_same_samples():
    first, second = (StochasticDepth(0.5, seed=3)(X, training=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_draws_anew_in_a_compiled_function(jit_compile):
    layer = StochasticDepth(0.5, seed=3)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    first, second = (kept_samples(compiled(X)) for _ in range(2))
    assert 0.45 < first.mean() < 0.55
    assert 0.4 < (first == second).mean() < 0.6


def test_small_rates_hold_in_half_precision():
    # bfloat16 has steps of 1/256 near 1, so numbers drawn in it cannot give a rate of 0.002.
    x = np.ones((40_000, 1, 1))
    kept = kept_samples(StochasticDepth(0.002, seed=3, dtype="bfloat16")(x, training=True))
    assert 40 < (~kept).sum() < 130  # 80 expected, with a standard deviation of 9


def test_keeps_the_dtype():
    outputs = StochasticDepth(0.5, dtype="mixed_bfloat16")(X, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_is_rebuilt_from_its_config():
    layer = StochasticDepth(0.5, seed=3)
    copy = StochasticDepth.from_config(layer.get_config())
    np.testing.assert_array_equal(copy(X, training=True), layer(X, training=True))


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, float("nan"), True, "0.1", None])
def test_refuses_rates_outside_their_range(rate):
    with pytest.raises(ValueError, match=r"`rate` must be a number in \[0, 1\), got"):
        StochasticDepth(rate)


@pytest.mark.parametrize(
    ("layers", "expected"), [(1, [0.0]), (2, [0.0, 0.3]), (4, [0.0, 0.1, 0.2, 0.3])]
)
def test_ramp_grows_from_0_to_its_rate(layers, expected):
    np.testing.assert_allclose(linear_ramp(0.3, layers), expected)
