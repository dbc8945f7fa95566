"""gMLP and aMLP against the reference implementations, and their own features."""

import functools

import keras
import numpy as np
import pytest

from keras_mlp import GMLP, GMLPBlock, load_checkpoint
from tests import contract
from tests.contract import with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("GMLP")


tiny_amlp = functools.partial(tiny, attention_dim=6)


def gmlp_like(oracle):
    kwargs = oracle.config["kwargs"]
    return GMLP(
        image_shape=oracle.x.shape[1:],
        patch_size=kwargs["patch_size"],
        num_layers=kwargs["num_blocks"],
        hidden_dim=kwargs["embed_dim"],
        channel_mlp_dim=kwargs["mlp_ratio"] * kwargs["embed_dim"],
        attention_dim=kwargs.get("d_attn"),
        num_classes=kwargs["num_classes"],
        include_preprocessing=False,
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    "name", ["gmlp_timm_base", "gmlp_timm_rect", "gmlp_timm_epsprobe", "amlp_paper_base"]
)
def test_equals_the_reference(name, suffix, tmp_path):
    oracle = Oracle(name)
    model = gmlp_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "timm"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


@pytest.mark.parametrize("promise", contract.PROMISES, ids=lambda promise: promise.__name__)
def test_amlp_keeps_the_contract(promise):
    promise(tiny_amlp)


@pytest.fixture(scope="module")
def models():
    """For all promises: no test may change them."""
    return contract.one_of_each_policy(tiny_amlp)


@pytest.mark.parametrize("promise", contract.PROMISES_OF_MODELS, ids=lambda each: each.__name__)
def test_models_of_amlp_keep_the_contract(models, promise):
    assert all(model.attention_dim == 6 for model in models.values())
    promise(models)


def test_every_weight_of_amlp_gets_a_gradient():
    assert contract.weights_without_gradient(tiny_amlp) == []


def test_amlp_adds_four_weights_to_a_block():
    plain = [weight.path for weight in tiny(num_layers=1).weights]
    added = [w.path for w in tiny_amlp(num_layers=1).weights if w.path not in plain]
    assert added == [
        "block_0/attention/qkv/kernel",
        "block_0/attention/qkv/bias",
        "block_0/attention/projection/kernel",
        "block_0/attention/projection/bias",
    ]


def test_initial_weights_are_timms():
    model = GMLP(image_shape=(64, 64, 3), patch_size=4, num_layers=1, attention_dim=64)
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    assert not weights["head/kernel"].any() and not weights["head/bias"].any()
    assert not weights["stem/projection/bias"].any()
    np.testing.assert_array_equal(weights["block_0/gate/token_linear/bias"], 1)
    np.testing.assert_allclose(weights["block_0/gate/token_linear/kernel"].std(), 1e-6, rtol=0.05)
    for layer in ("fc1", "fc2"):
        bias, kernel = weights[f"block_0/{layer}/bias"], weights[f"block_0/{layer}/kernel"]
        np.testing.assert_allclose(bias.std(), 1e-6, rtol=0.15)
        limit = (6 / sum(kernel.shape)) ** 0.5
        assert 0.99 * limit < np.abs(kernel).max() <= limit
    for layer in ("qkv", "projection"):
        assert not weights[f"block_0/attention/{layer}/bias"].any()


def test_a_block_starts_as_a_plain_mlp():
    x = np.random.default_rng(0).normal(size=(2, 24, 16)).astype("float32")
    block = GMLPBlock(channel_mlp_dim=32)
    block.build(x.shape)
    values = block.fc1(block.norm(x))[..., :16]
    np.testing.assert_allclose(block(x), x + np.asarray(block.fc2(values)), rtol=0, atol=1e-4)


def test_a_block_is_one_residual_branch():
    x = np.random.default_rng(0).normal(size=(2, 24, 16)).astype("float32")
    block = GMLPBlock(channel_mlp_dim=32, attention_dim=4)
    block.build(x.shape)
    with_random_weights(block)
    normalized = block.norm(x)
    gated = block.gate(block.fc1(normalized), block.attention(normalized))
    expected = x + np.asarray(block.fc2(gated))
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)
    assert np.abs(expected - x).max() > 0.1


def test_every_block_has_the_same_drop_path():
    model = tiny(drop_path_rate=0.2, num_layers=3)
    assert [model.get_layer(f"block_{i}").drop_path.rate for i in range(3)] == [0.2] * 3


def test_a_block_is_rebuilt_from_its_config():
    block = GMLPBlock(32, 8, 0.1, 0.2, gelu_approximate=True, layer_norm_epsilon=1e-5)
    assert GMLPBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_arguments_reach_every_layer():
    model = tiny_amlp(gelu_approximate=True, layer_norm_epsilon=1e-3, dropout_rate=0.25)
    assert model.get_layer("norm").epsilon == 1e-3
    for i in range(2):
        block = model.get_layer(f"block_{i}")
        assert block.norm.epsilon == 1e-3 and block.gate.norm.epsilon == 1e-5
        assert block.fc1.activation.__name__ == "gelu_tanh"
        assert block.dropout1.rate == block.dropout2.rate == 0.25
        assert block.attention.attention_dim == 6


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "8"])
def test_refuses_a_bad_attention_dim(value):
    with pytest.raises(
        ValueError, match=f"`attention_dim` must be a positive integer, got {value!r}"
    ):
        tiny(attention_dim=value)


def test_refuses_a_hidden_layer_without_halves():
    with pytest.raises(ValueError, match="`channel_mlp_dim` must be even, got 33"):
        tiny(channel_mlp_dim=33)


@pytest.mark.parametrize("epsilon", [0, -1e-6, float("inf"), "1e-6", True])
def test_refuses_a_bad_epsilon(epsilon):
    with pytest.raises(ValueError, match="`layer_norm_epsilon` must be a finite number above 0"):
        tiny(layer_norm_epsilon=epsilon)
