"""GELU against Python's own `math`, and the TensorFlow ops that it compiles to."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import MLP, gelu, gelu_tanh

X = np.linspace(-6, 6, 241).astype("float32")


def exact(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def tanh_form(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(("function", "formula"), [(gelu, exact), (gelu_tanh, tanh_form)])
def test_equals_its_formula(function, formula):
    expected = [formula(float(x)) for x in X]
    np.testing.assert_allclose(function(X), expected, rtol=0, atol=1e-6)


def test_the_two_forms_differ():
    difference = np.abs(np.asarray(gelu(X)) - np.asarray(gelu_tanh(X))).max()
    assert 1e-4 < difference < 1e-3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_keeps_the_dtype(dtype):
    x = tf.cast(X, dtype)
    assert gelu(x).dtype == gelu_tanh(x).dtype == dtype


def test_exact_gelu_uses_no_op_that_converters_refuse():
    layer = MLP(hidden_dim=8)
    layer.build((None, 4, 3))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 4, 3))).graph
    kinds = {op.type for op in graph.get_operations()}
    assert "Erf" in kinds
    assert "Erfc" not in kinds
