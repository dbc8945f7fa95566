"""MLP-Mixer against the reference implementations, and its own features."""

import keras
import numpy as np
import pytest

from keras_mlp import MixerBlock, MLPMixer, load_checkpoint
from tests.contract import predict, some_pixels, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("MLPMixer")


def mixer_like(oracle, **overrides):
    kwargs, w = oracle.config["kwargs"], oracle.weights
    stem = w.get("stem.proj.weight", w.get("stem/kernel"))
    patch = kwargs.get("patch_size", kwargs.get("patches"))
    block = {k.split(".", 2)[-1].split("/", 1)[-1]: v for k, v in w.items() if "0" in k}
    token = block.get("mlp_tokens.fc1.bias", block.get("token_mixing/Dense_0/bias"))
    channel = block.get("mlp_channels.fc1.bias", block.get("channel_mixing/Dense_0/bias"))
    assert stem is not None
    arguments = {
        "image_shape": oracle.x.shape[1:],
        "patch_size": patch,
        "num_layers": kwargs["num_blocks"],
        "hidden_dim": kwargs.get("embed_dim", kwargs.get("hidden_dim")),
        "token_mlp_dim": token.shape[0],
        "channel_mlp_dim": channel.shape[0],
        "num_classes": kwargs["num_classes"],
        "include_preprocessing": False,
    }
    return MLPMixer(**{**arguments, **overrides})


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", ["mixer_timm_base", "mixer_timm_rect", "mixer_timm_epsprobe"])
def test_equals_timm(name, suffix, tmp_path):
    oracle = Oracle(name)
    model = mixer_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "timm"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(("approximate", "key"), [(True, "y"), (False, "y_erf")])
def test_equals_googles_jax_code(approximate, key, suffix, tmp_path):
    oracle = Oracle("mixer_flax_base")
    model = mixer_like(oracle, gelu_approximate=approximate)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "google"
    oracle.check(model(oracle.x), key)


def test_initial_weights_are_the_papers():
    model = MLPMixer(image_shape=(32, 32, 3), patch_size=4, num_layers=1, hidden_dim=512)
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    assert not weights["head/kernel"].any()
    for path, value in weights.items():
        if path.endswith("bias") or path.endswith("beta"):
            assert not value.any(), path
    kernel = weights["block_0/channel_mlp/fc1/kernel"]  # LeCun normal: variance 1 / fan-in
    np.testing.assert_allclose(kernel.std(), 512**-0.5, rtol=0.01)


def test_drop_path_grows_linearly_with_depth():
    model = tiny(drop_path_rate=0.2, num_layers=3)
    rates = [model.get_layer(f"block_{i}").drop_path_rate for i in range(3)]
    np.testing.assert_allclose(rates, [0.0, 0.1, 0.2])


def test_the_token_mlp_is_one_map_shared_by_all_channels():
    block = tiny().get_layer("block_0")
    x = np.random.default_rng(0).normal(size=(1, 24, 16)).astype("float32")
    shuffled = np.random.default_rng(1).permutation(16)
    mixed = np.asarray(block.token_mlp(x))
    np.testing.assert_allclose(np.asarray(block.token_mlp(x[..., shuffled])), mixed[..., shuffled])


def test_a_block_is_two_residual_branches():
    x = np.random.default_rng(0).normal(size=(2, 24, 16)).astype("float32")
    block = MixerBlock(token_mlp_dim=12, channel_mlp_dim=32)
    block.build(x.shape)
    middle = x + np.asarray(block.token_mlp(block.norm1(x)))
    expected = middle + np.asarray(block.channel_mlp(block.norm2(middle)))
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)
    assert np.abs(middle - x).max() > 0.1 and np.abs(expected - middle).max() > 0.1


def test_a_block_is_rebuilt_from_its_config():
    block = MixerBlock(12, 32, 0.1, 0.2, gelu_approximate=True, layer_norm_epsilon=1e-5)
    assert MixerBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_blocks_are_feature_extractors():
    model = with_random_weights(tiny())
    tokens = predict(
        keras.Model(model.input, model.get_layer("block_1").output), some_pixels(model)
    )
    pooled = np.asarray(model.get_layer("norm")(tokens)).mean(axis=1)
    logits = np.asarray(model.get_layer("head")(pooled))
    np.testing.assert_allclose(logits, predict(model, some_pixels(model)), rtol=0, atol=1e-5)


def test_arguments_reach_every_layer():
    model = tiny(gelu_approximate=True, layer_norm_epsilon=1e-3, dropout_rate=0.25)
    assert model.get_layer("norm").epsilon == 1e-3
    for i in range(2):
        block = model.get_layer(f"block_{i}")
        assert block.norm1.epsilon == block.norm2.epsilon == 1e-3
        for mlp in (block.token_mlp, block.channel_mlp):
            assert mlp.gelu_approximate and mlp.dropout1.rate == mlp.dropout2.rate == 0.25


@pytest.mark.parametrize("patch_size", [(4, 8), [8, 4]])
def test_patches_need_not_be_square(patch_size):
    model = with_random_weights(tiny(patch_size=patch_size))
    assert model.patch_size == tuple(patch_size)
    assert predict(model, some_pixels(model)).shape == (2, 5)


def test_arguments_from_numpy_and_lists_survive_a_file(tmp_path):
    model = tiny(
        image_shape=[16, 24, 3],
        hidden_dim=np.int64(16),
        dropout_rate=np.float32(0.5),
        pixel_mean=np.array([0.4, 0.5, 0.6]),
        name="toy",
    )
    assert model.image_shape == (16, 24, 3) and model.pixel_mean == (0.4, 0.5, 0.6)
    model.save(tmp_path / "toy.keras")
    copy = keras.models.load_model(tmp_path / "toy.keras")
    assert copy.get_config() == model.get_config()
    assert type(copy.hidden_dim) is int


@pytest.mark.parametrize("pooling", ["max", None, "average"])
def test_refuses_another_pooling_before_the_classifier(pooling):
    with pytest.raises(ValueError, match=r"`pooling` is .* Allowed: 'avg'\."):
        tiny(pooling=pooling)


@pytest.mark.parametrize("epsilon", [0, -1e-6, float("inf"), "1e-6", True])
def test_refuses_a_bad_epsilon(epsilon):
    with pytest.raises(ValueError, match="`layer_norm_epsilon` must be a finite number above 0"):
        tiny(layer_norm_epsilon=epsilon)
