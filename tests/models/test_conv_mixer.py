"""ConvMixer against timm, and its own features."""

import math

import keras
import numpy as np
import pytest

from keras_mlp import ConvMixer, ConvMixerBlock, load_checkpoint
from keras_mlp.analysis import cost_of_variant, token_mixing_maps
from tests.contract import with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("ConvMixer")


def conv_mixer_like(oracle):
    kwargs = oracle.config["kwargs"]
    return ConvMixer(
        image_shape=oracle.x.shape[1:],
        patch_size=kwargs["patch_size"],
        num_layers=kwargs["depth"],
        hidden_dim=kwargs["dim"],
        kernel_size=kwargs["kernel_size"],
        activation=kwargs["activation"],
        num_classes=kwargs["num_classes"],
        include_preprocessing=False,
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    "name", ["convmixer_timm_base", "convmixer_timm_rect_relu", "convmixer_timm_epsprobe"]
)
def test_equals_timm(name, suffix, tmp_path):
    oracle = Oracle(name)
    model = conv_mixer_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "timm"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


def test_only_the_depthwise_convolution_has_a_residual_connection():
    block = ConvMixerBlock(kernel_size=3)
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype("float32")
    block.build(x.shape)
    with_random_weights(block)
    middle = x + np.asarray(block.depthwise_norm(block.depthwise(x)))
    expected = block.pointwise_norm(block.pointwise(middle))
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)


def test_initial_weights_are_pytorchs():
    model = ConvMixer(image_shape=(32, 32, 3), patch_size=2, num_layers=1, hidden_dim=256)
    limits = {"stem": (2 * 2 * 3) ** -0.5, "depthwise": 1 / 9, "pointwise": 1 / 16, "head": 1 / 16}
    for weight in model.weights:
        value, (*_, layer, kind) = np.asarray(weight), ("", *weight.path.split("/"))
        if layer in limits:
            limit = limits[layer]
            assert 0.95 * limit < np.abs(value).max() <= limit, weight.path
            np.testing.assert_allclose(value.std(), limit / 3**0.5, rtol=0.15)
        else:
            expected = 1 if kind in ("gamma", "moving_variance") else 0
            np.testing.assert_array_equal(value, expected, err_msg=weight.path)


@pytest.mark.parametrize("variant", ["256/8", "768/32", "1024/20", "1536/20"])
def test_cost_by_hand(variant):
    size = ConvMixer.variants[variant]
    width, tokens = size["hidden_dim"], (size["image_shape"][0] // size["patch_size"]) ** 2
    depth = tokens * size["num_layers"]
    counted = cost_of_variant(ConvMixer, variant)
    assert counted.parts["token_mixing"].macs == depth * size["kernel_size"] ** 2 * width
    assert counted.parts["channel_mixing"].macs == depth * width**2
    stem = tokens * size["patch_size"] ** 2 * 3 * width
    assert counted.parts["stem"].macs == stem and counted.parts["other"].macs == 0
    # The image; then convolution, activation function and norm, in the stem and twice per block.
    kept = math.prod(size["image_shape"]) + 3 * width * (tokens + 2 * depth) + 1000
    assert counted.training_bytes == 4 * kept


def test_a_map_is_a_kernel():
    model = with_random_weights(tiny())
    maps = token_mixing_maps(model, block=1)
    kernel = np.asarray(model.get_layer("block_1").depthwise.kernel)
    np.testing.assert_array_equal(maps, kernel[..., 0].transpose(2, 0, 1))


def test_the_published_activations():
    activations = {name: size["activation"] for name, size in ConvMixer.variants.items()}
    assert [name for name, each in activations.items() if each == "relu"] == ["768/32"]


def test_a_block_is_rebuilt_from_its_config():
    block = ConvMixerBlock(5, "relu", remat=True)
    assert ConvMixerBlock.from_config(block.get_config()).get_config() == block.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 4}, "`kernel_size` must be odd, got 4"),
        ({"kernel_size": 0}, "`kernel_size` must be a"),
        ({"activation": "gelo"}, "Did you mean 'gelu'?"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError) as error:
        tiny(**arguments)
    assert message in str(error.value)
