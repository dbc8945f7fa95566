"""Dense: both forms give the same result, and each is used where it is faster."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import Dense, backend, gelu

X = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")


def dense(**overrides):
    layer = Dense(6, **{"activation": gelu, "bias_initializer": "normal", **overrides})
    layer.build((None, 3, 5, 4))
    return layer


def rank_of_bias_sum(layer, **kwargs):
    """Rank of the tensor that the traced layer adds its bias to: 2 in the flat form."""
    traced = tf.function(layer, **kwargs).get_concrete_function(tf.TensorSpec((None, 3, 5, 4)))
    sums = [op for op in traced.graph.get_operations() if op.type == "BiasAdd"]
    (bias_sum,) = sums
    return len(bias_sum.inputs[0].shape)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4), (2, 3, 5, 4)])
def test_both_forms_are_the_matrix_product(shape, monkeypatch):
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    layer = Dense(6, activation=gelu, bias_initializer="normal")
    results = []
    for flat in (True, False):
        monkeypatch.setattr(backend, "prefers_flat_matmul", lambda flat=flat: flat)
        results.append(np.asarray(layer(x)))
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(results[0], gelu(x @ kernel + bias), rtol=0, atol=1e-5)


def test_is_flat_without_xla():
    assert rank_of_bias_sum(dense()) == 2


def test_keeps_its_axes_inside_a_block_that_asks_for_it():
    with backend.axes_kept():
        assert rank_of_bias_sum(dense()) == 4
    assert rank_of_bias_sum(dense()) == 2


def test_keeps_its_axes_under_xla():
    assert rank_of_bias_sum(dense(), jit_compile=True) == 4


def test_keeps_its_axes_inside_a_function_that_xla_compiles():
    inner = tf.function(dense())
    outer = tf.function(lambda x: inner(x), jit_compile=True)
    np.testing.assert_allclose(outer(X), inner(X), rtol=0, atol=1e-6)
    assert rank_of_bias_sum(dense(), jit_compile=True) == 4


def test_takes_axes_of_unknown_length():
    layer = dense()
    free = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 4))])
    np.testing.assert_allclose(free(X), layer(X), rtol=0, atol=1e-6)


def test_quantizes():
    layer = dense()
    expected = np.asarray(layer(X))
    layer.quantize("int8")
    assert "int8" in [weight.dtype for weight in layer.weights]
    np.testing.assert_allclose(layer(X), expected, rtol=0, atol=0.05)


def test_quantizes_as_part_of_a_model():
    model = keras.Sequential([keras.Input((3, 5, 4)), dense()])
    expected = np.asarray(model(X))
    with pytest.warns(UserWarning) as skipped:  # Keras warns about each layer that it skips
        model.quantize("int8")
    messages = [str(each.message) for each in skipped if each.category is UserWarning]
    assert len(messages) == 1 and "InputLayer" in messages[0]
    assert "int8" in [weight.dtype for weight in model.weights]
    np.testing.assert_allclose(model(X), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("flat", [True, False])
def test_takes_lora(flat, monkeypatch):
    monkeypatch.setattr(backend, "prefers_flat_matmul", lambda: flat)
    layer = dense(activation=None)
    before = np.asarray(layer(X))
    layer.enable_lora(rank=2)
    np.testing.assert_allclose(layer(X), before, rtol=0, atol=1e-6)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    update = X @ np.asarray(layer.lora_kernel_a) @ np.asarray(layer.lora_kernel_b)
    np.testing.assert_allclose(layer(X), before + update, rtol=0, atol=1e-5)
    assert len(layer.trainable_weights) == 3  # two low-rank factors and the bias


def test_is_rebuilt_from_its_config():
    layer = Dense.from_config(dense().get_config())
    assert type(layer) is Dense
    assert layer.units == 6
    assert layer.activation is gelu
