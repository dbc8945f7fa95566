"""TinyAttention against plain numpy."""

import keras
import numpy as np
import pytest

from keras_mlp.layers import TinyAttention

X = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")


def built(**overrides):
    layer = TinyAttention(**{"attention_dim": 3, "output_dim": 5, **overrides})
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def test_equals_numpy():
    layer = built()
    kernel, bias, out_kernel, out_bias = layer.get_weights()
    query, key, value = np.split(X @ kernel + bias, 3, axis=-1)
    weights = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(3))
    weights /= weights.sum(-1, keepdims=True)
    expected = weights @ value @ out_kernel + out_bias
    np.testing.assert_allclose(layer(X), expected, rtol=0, atol=1e-4)


def test_takes_any_number_of_tokens():
    layer = built()
    assert tuple(layer(X[:, :2]).shape) == (2, 2, 5)


def test_kernels_of_one_initializer_object_differ():
    initializer = keras.initializers.RandomNormal()
    layer = TinyAttention(1, 3, kernel_initializer=initializer)  # two kernels of three numbers
    layer.build((2, 6, 1))
    qkv, _, projection, _ = layer.get_weights()
    assert not np.allclose(qkv, projection)


def test_is_rebuilt_from_its_config():
    layer = built(kernel_initializer="he_normal", dtype="mixed_bfloat16")
    copy = TinyAttention.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


@pytest.mark.parametrize("name", ["attention_dim", "output_dim"])
@pytest.mark.parametrize("value", [0, 2.0, True])
def test_refuses_bad_sizes(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer, got {value}"):
        built(**{name: value})
