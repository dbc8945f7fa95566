"""ResMLP against the reference implementations, and its own features."""

import keras
import numpy as np
import pytest

from keras_mlp import ResMLP, ResMLPBlock, load_checkpoint
from tests.contract import predict, some_pixels, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("ResMLP")


def resmlp_like(oracle):
    kwargs = oracle.config["kwargs"]
    return ResMLP(
        image_shape=oracle.x.shape[1:],
        patch_size=kwargs["patch_size"],
        num_layers=kwargs.get("depth", kwargs.get("num_blocks")),
        hidden_dim=kwargs["embed_dim"],
        channel_mlp_dim=4 * kwargs["embed_dim"],
        num_classes=kwargs["num_classes"],
        include_preprocessing=False,
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("name", "source"), [("resmlp_official_base", "deit"), ("resmlp_timm_rect", "timm")]
)
def test_equals_the_reference(name, source, suffix, tmp_path):
    oracle = Oracle(name)
    model = resmlp_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == source
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


def test_a_timm_affine_of_another_shape_is_named(tmp_path):
    oracle = Oracle("resmlp_timm_rect")
    oracle.weights["norm.alpha"] = np.ones((2, 1, 48), "float32")
    with pytest.raises(ValueError, match=r"norm.alpha \(2, 1, 48\) cannot become norm/alpha"):
        load_checkpoint(resmlp_like(oracle), oracle.write_checkpoint(tmp_path, ".npz"))


def test_initial_weights_are_the_authors():
    model = ResMLP(image_shape=(64, 64, 3), patch_size=4, num_layers=1)
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    limit = (4 * 4 * 3) ** -0.5  # PyTorch's convolution: uniform, including the bias
    for path in ("stem/projection/kernel", "stem/projection/bias"):
        value = weights.pop(path)
        assert 0.95 * limit < np.abs(value).max() <= limit, path
        np.testing.assert_allclose(value.std(), limit / 3**0.5, rtol=0.1)
    for path, value in weights.items():
        if path.endswith("kernel"):
            np.testing.assert_allclose(value.std(), 0.02, rtol=0.03, err_msg=path)
            assert np.abs(value).max() > 3.5 * 0.02, path  # not cut at 2 sigma
        else:
            expected = {"alpha": 1, "gamma": 0.1}.get(path.rpartition("/")[2], 0)
            np.testing.assert_allclose(value, expected, err_msg=path)


@pytest.mark.parametrize(
    ("variant", "scale"),
    [("S12", 0.1), ("S24", 1e-5), ("S36", 1e-6), ("B24/16", 1e-6), ("B24/8", 1e-6)],
)
def test_deeper_models_start_nearer_to_the_identity(variant, scale):
    arguments = {**ResMLP.variants[variant], "image_shape": (16, 16, 3), "num_layers": 1}
    block = ResMLP(**{**arguments, "hidden_dim": 8, "channel_mlp_dim": 8}).get_layer("block_0")
    for layer in (block.layer_scale1, block.layer_scale2):
        np.testing.assert_allclose(layer.gamma, scale)


def test_every_block_has_the_same_drop_path():
    model = tiny(drop_path_rate=0.2, num_layers=3)
    blocks = [model.get_layer(f"block_{i}") for i in range(3)]
    rates = [each.rate for block in blocks for each in (block.drop_path1, block.drop_path2)]
    assert rates == [0.2] * 6


def token_branch(block, x):
    mixed = np.einsum("bsc,st->btc", np.asarray(block.norm1(x)), block.token_linear.kernel)
    return (mixed + np.asarray(block.token_linear.bias)[:, None]) * block.layer_scale1.gamma


def test_token_mixing_is_one_linear_map_shared_by_all_channels():
    block = with_random_weights(tiny()).get_layer("block_0")
    block.layer_scale2.gamma.assign(np.zeros(16))  # leaves only the token branch
    x = np.random.default_rng(0).normal(size=(2, 24, 16)).astype("float32")
    np.testing.assert_allclose(block(x), x + token_branch(block, x), rtol=0, atol=1e-5)


def test_a_block_is_two_residual_branches():
    x = np.random.default_rng(0).normal(size=(2, 24, 16)).astype("float32")
    block = ResMLPBlock(channel_mlp_dim=32)
    block.build(x.shape)
    with_random_weights(block)
    middle = x + token_branch(block, x)
    expected = middle + np.asarray(block.layer_scale2(block.channel_mlp(block.norm2(middle))))
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)
    assert np.abs(middle - x).max() > 0.01 and np.abs(expected - middle).max() > 0.01


def test_a_block_is_rebuilt_from_its_config():
    block = ResMLPBlock(32, 1e-5, 0.1, 0.2, gelu_approximate=True)
    assert ResMLPBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_arguments_reach_every_layer():
    model = tiny(gelu_approximate=True, dropout_rate=0.25, layer_scale_init_value=0.5)
    for i in range(2):
        block = model.get_layer(f"block_{i}")
        mlp = block.channel_mlp
        assert mlp.gelu_approximate and mlp.dropout1.rate == mlp.dropout2.rate == 0.25
        assert block.layer_scale1.init_value == block.layer_scale2.init_value == 0.5


def test_pixels_are_normalised_as_imagenets():
    layer = ResMLP.from_variant("pico/2").get_layer("normalize")
    assert layer.mean == (0.485, 0.456, 0.406) and layer.std == (0.229, 0.224, 0.225)


def test_images_without_colours_take_the_average_of_imagenets_numbers():
    model = with_random_weights(tiny(image_shape=(16, 24, 1)))
    layer = model.get_layer("normalize")
    np.testing.assert_allclose([layer.mean, layer.std], [0.449, 0.226], rtol=0, atol=1e-6)
    copy = ResMLP.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), "0.1", True])
def test_refuses_a_bad_layer_scale(value):
    with pytest.raises(ValueError, match="`layer_scale_init_value` must be a finite number above"):
        tiny(layer_scale_init_value=value)
