"""Position embeddings: one table for the tokens as they are, and one on its own grid."""

import numpy as np
import pytest

from keras_mlp.layers import GridPositionEmbedding, PositionEmbedding
from tests.oracle import Oracle

X = np.random.default_rng(0).normal(size=(2, 7, 8)).astype("float32")


def test_adds_one_vector_per_token():
    layer = PositionEmbedding()
    tokens = np.asarray(layer(X))
    (table,) = layer.get_weights()
    assert table.shape == (1, 7, 8)
    assert 0.01 < table.std() < 0.03  # the paper's 0.02
    np.testing.assert_allclose(tokens, X + table, rtol=0, atol=1e-6)


def test_a_grid_of_the_same_size_is_added_as_it_is():
    layer = GridPositionEmbedding((2, 3))
    tokens = np.asarray(layer(X))
    class_token, grid = layer.get_weights()
    assert class_token.shape == (1, 1, 8) and grid.shape == (2, 3, 8)
    table = np.concatenate([class_token, grid.reshape(1, 6, 8)], axis=1)
    np.testing.assert_array_equal(tokens, X + table)


@pytest.mark.parametrize("grid", [(6, 6), (3, 3), (5, 7)])
def test_a_grid_of_another_size_is_interpolated_as_pytorch_does(grid):
    arrays = Oracle("posembed_interp").arrays
    table, expected = arrays["pos_embed"], arrays["timm_bilinear_{}x{}".format(*grid)]
    layer = GridPositionEmbedding(grid, stored_grid=4)
    zeros = np.zeros(expected.shape, "float32")
    layer.build(zeros.shape)
    layer.set_weights([table[:, :1], table[0, 1:].reshape(4, 4, 8)])
    np.testing.assert_allclose(layer(zeros), expected, rtol=0, atol=1e-6)


def test_half_precision_stays_close():
    layer = GridPositionEmbedding((2, 3), stored_grid=14, initializer="normal")
    half = GridPositionEmbedding((2, 3), stored_grid=14, dtype="mixed_bfloat16")
    layer.build(X.shape), half.build(X.shape)
    half.set_weights(layer.get_weights())
    assert half(X).dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(half(X), "float32"), layer(X), rtol=0, atol=0.03)


@pytest.mark.parametrize(
    "layer",
    [
        PositionEmbedding(initializer="zeros"),
        PositionEmbedding(),
        GridPositionEmbedding((2, 3), stored_grid=14, initializer="ones"),
    ],
    ids=["zeros", "default", "grid"],
)
def test_is_rebuilt_from_its_config(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_refuses_tokens_that_do_not_form_the_grid():
    with pytest.raises(ValueError, match=r"`grid`=\(2, 4\) and a class token need 9 tokens, got 7"):
        GridPositionEmbedding((2, 4))(X)


@pytest.mark.parametrize("name", ["grid", "stored_grid"])
def test_refuses_a_bad_grid(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer, got 0"):
        GridPositionEmbedding(**{"grid": 2, name: (2, 0)})
