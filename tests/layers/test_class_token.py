"""The class token: prepended, selected, removed."""

import numpy as np

from keras_mlp.layers import ClassToken, GridTokens, PrependClassToken

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")


def test_the_same_learned_token_stands_in_front_of_every_sequence():
    layer = PrependClassToken(initializer="normal")
    tokens = np.asarray(layer(X))
    (token,) = layer.get_weights()
    assert token.shape == (1, 1, 5) and token.any()
    np.testing.assert_array_equal(tokens[:, :1], np.tile(token, (3, 1, 1)))
    np.testing.assert_array_equal(tokens[:, 1:], X)
    assert layer.compute_output_shape((None, 4, 5)) == (None, 5, 5)


def test_class_and_grid_tokens_are_the_parts():
    tokens = PrependClassToken(initializer="ones")(X)
    np.testing.assert_array_equal(ClassToken()(tokens), np.ones((3, 5)))
    np.testing.assert_array_equal(GridTokens()(tokens), X)


def test_is_rebuilt_from_its_config():
    layer = PrependClassToken(initializer="normal")
    assert PrependClassToken.from_config(layer.get_config()).get_config() == layer.get_config()
