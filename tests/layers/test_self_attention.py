"""SelfAttention against plain numpy."""

import keras
import numpy as np
import pytest

from keras_mlp.layers import SelfAttention

X = np.random.default_rng(0).normal(size=(2, 5, 12)).astype("float32")


def built(**overrides):
    layer = SelfAttention(**{"num_heads": 3, "bias_initializer": "normal", **overrides})
    layer.build(X.shape)
    return layer


def attention(x, weights, num_heads):
    """Head by head, as in the paper."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = zip(weights[::2], weights[1::2], strict=True)
    query, key, value = x @ wq + bq, x @ wk + bk, x @ wv + bv
    heads = []
    for columns in np.split(np.arange(x.shape[-1]), num_heads):
        scores = query[..., columns] @ key[..., columns].transpose(0, 2, 1)
        odds = np.exp(scores / np.sqrt(len(columns)))
        heads.append(odds / odds.sum(axis=-1, keepdims=True) @ value[..., columns])
    return np.concatenate(heads, axis=-1) @ wo + bo


@pytest.mark.parametrize("num_heads", [1, 3, 12])
def test_equals_numpy(num_heads):
    layer = built(num_heads=num_heads)
    layer.set_weights([3 * weight for weight in layer.get_weights()])
    expected = attention(X, layer.get_weights(), num_heads)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-4, atol=1e-4)


def test_has_dense_layers_of_their_own_for_queries_keys_and_values():
    shapes = {weight.path: tuple(weight.shape) for weight in built(name="attention").weights}
    parts = ("query", "key", "value", "projection")
    assert list(shapes) == [f"attention/{p}/{kind}" for p in parts for kind in ("kernel", "bias")]
    assert set(shapes.values()) == {(12, 12), (12,)}
    kernels = built().get_weights()[::2]
    assert all(not np.allclose(kernels[0], kernel) for kernel in kernels[1:])


def test_dropout_acts_in_training_only():
    layer, plain = built(dropout_rate=0.5), built()
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(X), plain(X))
    assert 0.3 < (np.asarray(layer(X, training=True)) == 0).mean() < 0.7


def test_half_precision_stays_close():
    layer, half = built(), built(dtype="mixed_bfloat16")
    half.set_weights(layer.get_weights())
    assert half(X).dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(half(X), "float32"), layer(X), rtol=0, atol=0.05)


@pytest.mark.parametrize("tokens, flash", [(4, None), (5, False)])
def test_a_flash_kernel_is_not_asked_for_what_it_refuses(tokens, flash, monkeypatch):
    asked = []

    def attention(query, key, value, flash_attention):
        asked.append(flash_attention)
        return value

    layer = built()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.ops, "dot_product_attention", attention)
    layer(X[:, :tokens])
    assert asked == [flash]


def test_is_rebuilt_from_its_config():
    layer = built(dropout_rate=0.1, kernel_initializer="he_normal")
    copy = SelfAttention.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy.build(X.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(X), layer(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be a positive integer, got 0"),
        ({"num_heads": 5}, "`num_heads`=5 does not divide `hidden_dim`=12"),
        ({"dropout_rate": 1.0}, r"`dropout_rate` must be a number in \[0, 1\), got 1.0"),
    ],
    ids=str,
)
def test_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        built(**arguments)
