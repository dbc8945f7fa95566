"""MLP-Mixer against the reference implementations, at every published size."""

import keras
import numpy as np
import pytest

from keras_mlp import MLPMixer, load_checkpoint
from tests.oracle import Oracle

PARAMETERS = {
    "S/32": 19_104_624,
    "S/16": 18_528_264,
    "B/32": 60_293_428,
    "B/16": 59_880_472,
    "L/32": 206_939_264,
    "L/16": 208_196_168,
    "H/14": 432_350_952,
    # Ours, with 1,000 classes.
    "nano/4": 1_259_880,
    "pico/4": 306_638,
    "pico/2": 203_624,
}


def tiny(**overrides):
    arguments = {
        "image_shape": (16, 24, 3),
        "patch_size": 4,
        "num_layers": 3,
        "hidden_dim": 16,
        "token_mlp_dim": 12,
        "channel_mlp_dim": 32,
        "num_classes": 5,
    }
    return MLPMixer(**{**arguments, **overrides})


@pytest.mark.parametrize("variant", MLPMixer.variants)
def test_every_variant_has_its_exact_parameter_count(variant):
    with keras.StatelessScope():  # no memory: the largest has 432 million
        model = MLPMixer.from_variant(variant)
    assert model.count_params() == PARAMETERS[variant]


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
    rates = [tiny(drop_path_rate=0.2).get_layer(f"block_{i}").drop_path_rate for i in range(3)]
    np.testing.assert_allclose(rates, [0.0, 0.1, 0.2])


def test_the_token_mlp_is_one_map_shared_by_all_channels():
    block = tiny().get_layer("block_0")
    x = np.random.default_rng(0).normal(size=(1, 24, 16)).astype("float32")
    shuffled = np.random.default_rng(1).permutation(16)
    mixed = np.asarray(block.token_mlp(x))
    np.testing.assert_allclose(np.asarray(block.token_mlp(x[..., shuffled])), mixed[..., shuffled])
