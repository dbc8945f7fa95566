"""PatchEmbedding against patches cut out by hand."""

import numpy as np
import pytest

from keras_mlp.layers import PatchEmbedding


@pytest.mark.parametrize("patch_size", [2, (2, 3), (4, 2)])
def test_tokens_are_patches_in_row_major_order(patch_size):
    height, width = patch_size if isinstance(patch_size, tuple) else (patch_size,) * 2
    images = np.random.default_rng(0).normal(size=(2, 8, 12, 3)).astype("float32")
    layer = PatchEmbedding(patch_size, hidden_dim=5, bias_initializer="normal")
    tokens = np.asarray(layer(images))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (height, width, 3, 5)
    columns = 12 // width
    assert tokens.shape == (2, (8 // height) * columns, 5)
    for index in range(tokens.shape[1]):
        row, column = divmod(index, columns)
        top, left = row * height, column * width
        patch = images[:, top : top + height, left : left + width]
        expected = patch.reshape(2, -1) @ kernel.reshape(-1, 5) + bias
        np.testing.assert_allclose(tokens[:, index], expected, rtol=0, atol=1e-5)


def test_symbolic_and_real_shapes_agree():
    layer = PatchEmbedding((2, 3), hidden_dim=5)
    assert layer.compute_output_shape((None, 8, 12, 3)) == (None, 16, 5)
    assert tuple(layer(np.zeros((2, 8, 12, 3))).shape) == (2, 16, 5)


def test_is_rebuilt_from_its_config():
    layer = PatchEmbedding((2, 3), hidden_dim=5, kernel_initializer="he_normal")
    assert PatchEmbedding.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("shape", [(1, 8, 9, 3), (1, 9, 8, 3), (1, None, 8, 3)])
def test_refuses_sides_that_are_no_multiple_of_the_patch(shape):
    with pytest.raises(ValueError, match=r"pixels cannot be cut by `patch_size`=\(2, 2\)"):
        PatchEmbedding(2, hidden_dim=5).build(shape)


def test_refuses_what_is_no_batch_of_images():
    with pytest.raises(ValueError, match=r"shape \(B, H, W, channels\), got \(8, 8, 3\)"):
        PatchEmbedding(2, hidden_dim=5).build((8, 8, 3))


@pytest.mark.parametrize("patch_size", [0, -2, 2.0, True, (2,), (2, 2, 2), (2, 0), "2"])
def test_refuses_bad_patches(patch_size):
    with pytest.raises(ValueError, match="`patch_size` must be"):
        PatchEmbedding(patch_size, hidden_dim=5)


def test_may_keep_the_grid():
    x = np.random.default_rng(0).normal(size=(2, 8, 12, 3)).astype("float32")
    layer = PatchEmbedding((2, 3), hidden_dim=5, flatten=False)
    grid = layer(x)
    assert tuple(grid.shape) == (2, 4, 4, 5) == layer.compute_output_shape(x.shape)
    tokens = PatchEmbedding((2, 3), hidden_dim=5)
    tokens.build(x.shape)
    tokens.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.reshape(grid, (2, 16, 5)), tokens(x))
    assert not PatchEmbedding.from_config(layer.get_config()).flatten
