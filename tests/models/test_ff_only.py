"""FFOnly against its author's implementation, and its own features."""

import keras
import numpy as np
import pytest

from keras_mlp import FFOnly, FFOnlyBlock, load_checkpoint
from keras_mlp.analysis.weightless import weightless
from tests.contract import predict, some_pixels, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("FFOnly")


def ff_only_like(oracle, **overrides):
    kwargs = oracle.config["kwargs"]
    ratio = kwargs.get("mlp_ratio", 4)
    arguments = {
        "image_shape": oracle.x.shape[1:],
        "patch_size": kwargs["patch_size"],
        "num_layers": kwargs["depth"],
        "hidden_dim": kwargs["embed_dim"],
        "channel_mlp_dim": int(ratio * kwargs["embed_dim"]),
        "token_mlp_dim": int(ratio * kwargs["num_tokens"]),
        "position_grid": kwargs["learned_positional_encoding_size"],
        "num_classes": kwargs["num_classes"],
        "include_preprocessing": False,
    }
    return FFOnly(**{**arguments, **overrides})


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", ["base", "rect", "epsprobe"])
def test_equals_the_authors_code(name, suffix, tmp_path):
    oracle = Oracle(f"ffonly_official_{name}")
    model = ff_only_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "official"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


def test_initial_weights_are_the_authors():
    model = FFOnly(image_shape=(64, 64, 3), patch_size=4, num_layers=1, hidden_dim=192)
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    limit = (4 * 4 * 3) ** -0.5  # PyTorch's convolution: uniform, including the bias
    for path in ("stem/projection/kernel", "stem/projection/bias"):
        value = weights.pop(path)
        assert 0.95 * limit < np.abs(value).max() <= limit, path
    for path, value in weights.items():
        if path.endswith(("kernel", "embeddings", "token")):
            np.testing.assert_allclose(value.std(), 0.02, rtol=0.2, err_msg=path)
        else:
            assert (value == float(path.endswith("gamma"))).all(), path
    kernel = weights["head/kernel"]
    np.testing.assert_allclose(kernel.std(), 0.02, rtol=0.01)
    assert np.abs(kernel).max() > 3.5 * 0.02  # not cut at 2 sigma


def test_published_sizes_store_positions_on_14_by_14_whatever_the_patch():
    for variant in ("linear_tiny", "linear_base", "linear_large"):
        model = weightless(FFOnly.from_variant, variant)
        shape = tuple(model.get_layer("position_embedding").embeddings.shape)
        assert shape == (14, 14, model.hidden_dim)


def test_stored_positions_are_interpolated_to_the_grid():
    model = with_random_weights(tiny(position_grid=(8, 12)))  # twice the grid of 4 x 6
    layer = model.get_layer("position_embedding")
    stored = np.asarray(layer.embeddings)
    # Half the size without antialiasing: the mean of the central two by two.
    small = stored.reshape(4, 2, 6, 2, 16).mean(axis=(1, 3))
    direct = tiny(position_grid=None)
    assert tuple(direct.get_layer("position_embedding").embeddings.shape) == (4, 6, 16)
    direct.set_weights([small if w is layer.embeddings else w.numpy() for w in model.weights])
    images = some_pixels(model)
    np.testing.assert_allclose(predict(model, images), predict(direct, images), rtol=0, atol=1e-5)


def test_token_mlps_are_four_times_as_wide_as_the_tokens():
    model = tiny(token_mlp_dim=None)
    assert model.get_layer("block_0").token_mlp.hidden_dim == 4 * (1 + 4 * 6)


def test_a_block_mixes_channels_first_and_normalises_over_tokens():
    x = np.random.default_rng(0).normal(size=(2, 6, 16)).astype("float32")
    block = FFOnlyBlock(channel_mlp_dim=32, token_mlp_dim=12)
    block.build(x.shape)
    rng = np.random.default_rng(1)
    block.set_weights([rng.normal(size=w.shape) for w in block.weights])
    middle = x + np.asarray(block.channel_mlp(block.norm1(x)))
    turned = middle.transpose(0, 2, 1)
    centred = turned - turned.mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt(turned.var(axis=-1, keepdims=True) + 1e-6)
    normed = normed * np.asarray(block.norm2.gamma) + np.asarray(block.norm2.beta)
    expected = (turned + np.asarray(block.token_mlp(normed))).transpose(0, 2, 1)
    np.testing.assert_allclose(block(x), expected, rtol=1e-5, atol=1e-4)


def test_the_class_token_takes_part_in_token_mixing():
    model = with_random_weights(tiny())
    first = model.get_layer("block_0")
    x = np.random.default_rng(0).normal(size=(1, 25, 16)).astype("float32")
    moved = x.copy()
    moved[:, 0, 3] += 1.0
    changed = np.abs(np.asarray(first(moved)) - np.asarray(first(x))).max(axis=(0, 2))
    assert (changed > 1e-4).all()  # the class token affects every token
    moved = x.copy()
    moved[:, 7, 3] += 1.0
    assert np.abs(np.asarray(first(moved)) - np.asarray(first(x)))[:, 0].max() > 1e-4


def test_a_block_is_rebuilt_from_its_config():
    block = FFOnlyBlock(32, 12, 0.1, 0.2, layer_norm_epsilon=1e-5)
    assert FFOnlyBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_arguments_reach_every_layer():
    model = tiny(layer_norm_epsilon=1e-3, dropout_rate=0.25, drop_path_rate=0.2)
    assert model.get_layer("norm").epsilon == 1e-3
    assert model.get_layer("dropout").rate == 0.25
    for i in range(2):
        block = model.get_layer(f"block_{i}")
        assert block.norm1.epsilon == block.norm2.epsilon == 1e-3
        assert block.drop_path1.rate == block.drop_path2.rate == 0.2 * i
        for mlp in (block.channel_mlp, block.token_mlp):
            assert mlp.dropout1.rate == mlp.dropout2.rate == 0.25


def test_refuses_positions_of_another_grid(tmp_path):
    oracle = Oracle("ffonly_official_base")
    path = oracle.write_checkpoint(tmp_path, ".npz")
    with pytest.raises(ValueError, match=r"pos_embed gives \(4, 4, 32\), .* takes \(5, 4, 32\)"):
        load_checkpoint(ff_only_like(oracle, position_grid=(5, 4)), path)


@pytest.mark.parametrize("position_grid", [0, (3,), (3, 0), 2.5, "14"])
def test_refuses_a_bad_position_grid(position_grid):
    with pytest.raises(ValueError, match="`position_grid` must be"):
        tiny(position_grid=position_grid)


@pytest.mark.parametrize("pooling", ["max", None])
def test_refuses_another_pooling_before_the_classifier(pooling):
    with pytest.raises(ValueError, match=r"`pooling` is .* Allowed: 'token', 'avg'\."):
        tiny(pooling=pooling)
