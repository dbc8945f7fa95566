"""Vision Permutator against its authors' code, and its own features."""

import keras
import numpy as np
import pytest

from keras_mlp import PermutatorBlock, VisionPermutator, load_checkpoint, save_checkpoint
from keras_mlp.analysis.weightless import weightless
from tests.contract import predict, some_pixels, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("VisionPermutator")


def permutator_like(oracle):
    kwargs = oracle.config["kwargs"]
    return VisionPermutator(
        image_shape=oracle.x.shape[1:],
        patch_size=kwargs["patch_size"],
        num_layers=kwargs["layers"],
        hidden_dim=kwargs["embed_dims"],
        downsample=kwargs["transitions"][:-1],
        mlp_ratio=kwargs["mlp_ratios"],
        weighted=kwargs.get("weighted", True),
        qkv_bias=kwargs.get("qkv_bias", False),
        skip_lam=kwargs.get("skip_lam", 1.0),
        num_classes=kwargs["num_classes"],
        include_preprocessing=False,
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    "name",
    [
        "vip_weighted_2stage",
        "vip_weighted_epsprobe",
        "vip_weighted_qkvbias_skiplam",
        "vip_sum_2stage",
    ],
)
def test_equals_the_reference(name, suffix, tmp_path):
    oracle = Oracle(name)
    model = permutator_like(oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "official"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


@pytest.mark.parametrize(
    ("variant", "transitions"),
    [("S/14", {}), ("S/7", {1: 0}), ("M/7", {2: 1}), ("L/7", {1: 0})],
)
def test_published_numbers_count_the_transitions(variant, transitions):
    model = weightless(VisionPermutator.from_variant, variant)
    layout = model.checkpoint_layouts["official"]
    names = {weight.path: layout.origin(weight.path, model).name for weight in model.weights}
    expected = iter(each for each in range(8) if each not in transitions)
    for stage in range(4):
        number = next(expected)
        for i in range(model.num_layers[stage]):
            name = names[f"stage_{stage}_block_{i}/norm1/gamma"]
            assert name == f"network.{number}.{i}.norm1.weight"
    found = {k: v for k, v in names.items() if k.startswith("downsample") and k.endswith("kernel")}
    assert found == {
        f"downsample_{stage}/projection/kernel": f"network.{index}.proj.weight"
        for index, stage in transitions.items()
    }


def test_channels_alone_change_by_a_1_x_1_convolution():
    model = tiny(hidden_dim=(8, 16), downsample=(False,))
    assert model.get_layer("downsample_0").patch_size == (1, 1)
    assert model.get_layer("downsample_0").output.shape == (None, 4, 4, 16)
    names = [layer.name for layer in tiny(hidden_dim=(16, 16), downsample=(False,)).layers]
    assert "downsample_0" not in names


def test_initial_weights_are_the_authors():
    model = VisionPermutator(
        image_shape=(64, 64, 3),
        patch_size=8,
        num_layers=(1, 1),
        hidden_dim=(128, 128),
        downsample=(True,),
    )
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    for layer, fan_in in (("stem", 8 * 8 * 3), ("downsample_0", 2 * 2 * 128)):
        for kind in ("kernel", "bias"):  # PyTorch's convolution: uniform, including the bias
            value = weights.pop(f"{layer}/projection/{kind}")
            assert 0.9 * fan_in**-0.5 < np.abs(value).max() <= fan_in**-0.5, layer
    for path, value in weights.items():
        if path.endswith("kernel"):
            np.testing.assert_allclose(value.std(), 0.02, rtol=0.03, err_msg=path)
            assert np.abs(value).max() > 3 * 0.02, path  # not cut at 2 sigma
        else:
            np.testing.assert_array_equal(value, path.endswith("gamma"), err_msg=path)


def test_drop_path_grows_linearly_over_all_stages():
    model = tiny(drop_path_rate=0.2)
    names = ("stage_0_block_0", "stage_1_block_0", "stage_1_block_1")
    for name, rate in zip(names, (0.0, 0.1, 0.2), strict=True):
        block = model.get_layer(name)
        np.testing.assert_allclose([block.drop_path1.rate, block.drop_path2.rate], rate)


def test_a_block_is_two_residual_branches_divided_by_skip_lam():
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 16)).astype("float32")
    block = PermutatorBlock(channel_mlp_dim=32, skip_lam=2.0)
    block.build(x.shape)
    with_random_weights(block)
    middle = x + np.asarray(block.permute_mlp(block.norm1(x))) / 2
    expected = middle + np.asarray(block.channel_mlp(block.norm2(middle))) / 2
    np.testing.assert_allclose(block(x), expected, rtol=0, atol=1e-5)
    assert np.abs(middle - x).max() > 0.01 and np.abs(expected - middle).max() > 0.01


def test_a_block_is_rebuilt_from_its_config():
    block = PermutatorBlock(32, False, True, 2.0, 0.1, 0.2, 1e-6)
    assert PermutatorBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_arguments_reach_every_layer():
    model = tiny(mlp_ratio=(1, 2.5), dropout_rate=0.25, layer_norm_epsilon=1e-3, qkv_bias=True)
    assert model.get_layer("norm").epsilon == 1e-3
    for name, hidden in (("stage_0_block_0", 8), ("stage_1_block_1", 40)):
        block = model.get_layer(name)
        assert block.norm1.epsilon == block.norm2.epsilon == 1e-3
        assert block.channel_mlp.hidden_dim == hidden
        assert block.channel_mlp.dropout1.rate == block.permute_mlp.dropout.rate == 0.25
        assert block.permute_mlp.qkv_bias
    assert not hasattr(tiny(weighted=False).get_layer("stage_0_block_0").permute_mlp, "reweight")


def test_the_map_may_be_square_where_the_image_is_not():
    model = with_random_weights(tiny(image_shape=(16, 32, 3), patch_size=(4, 8)))
    assert predict(model, some_pixels(model)).shape == (2, 5)


@pytest.mark.parametrize("shape", [(16, 24, 3), (24, 24, 3), (48, 48, 3), (4, 4, 3)])
def test_a_size_that_does_not_fit_is_refused_with_those_that_do(shape):
    with pytest.raises(ValueError) as error:
        tiny(image_shape=shape)
    assert f"`image_shape`={shape}" in str(error.value)
    sizes = str(error.value).partition("Images that fit: ")[2].rstrip(".").split(", ")
    assert sizes == ["8 x 8", "16 x 16", "32 x 32"]


@pytest.mark.parametrize("side", [8, 16, 32])
def test_the_sizes_that_it_names_work(side):
    model = tiny(image_shape=(side, side, 3))
    assert predict(model, some_pixels(model)).shape == (2, 5)


def test_the_list_of_sizes_says_how_trained_weights_fit_others(tmp_path):
    path = tmp_path / "w.npz"
    save_checkpoint(VisionPermutator.from_variant("pico/2"), path, "official")
    with pytest.raises(ValueError, match=r"`keras_mlp.with_image_shape` fits trained weights, pub"):
        VisionPermutator.from_preset(path, variant="pico/2", image_shape=(10, 10, 3))


def test_with_segments_the_map_has_any_size():
    model = tiny(image_shape=(24, 40, 3), segments=(2, 4))
    assert predict(model, some_pixels(model)).shape == (2, 5)
    block = model.get_layer("stage_0_block_0").permute_mlp
    # 6 rows and 10 columns of 8 / 2 channels each.
    assert block.height.kernel.shape == (24, 24) and block.width.kernel.shape == (40, 40)
    same = tiny(image_shape=(16, 16, 3), segments=(4, 2))
    plain = tiny(image_shape=(16, 16, 3))
    same.set_weights(plain.get_weights())
    np.testing.assert_array_equal(
        predict(same, some_pixels(same)), predict(plain, some_pixels(plain))
    )
    for segments, message in (((2,), "a tuple of 2"), ((3, 4), "must divide the channels")):
        with pytest.raises(ValueError, match=f"`segments`.*{message}"):
            tiny(segments=segments)
    with pytest.raises(ValueError, match="both sides must be multiples of 2"):
        tiny(image_shape=(20, 24, 3), segments=(2, 4))


def test_says_so_where_no_image_fits():
    with pytest.raises(ValueError, match=r"`hidden_dim`=\(7, 16\)\. No image fits them\."):
        tiny(hidden_dim=(7, 16))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_layers", ()),
        ("num_layers", (1, 0)),
        ("hidden_dim", (8,)),
        ("hidden_dim", (8, 16, 16)),
        ("hidden_dim", 8),
        ("downsample", True),
        ("downsample", (1,)),
        ("downsample", (True, False)),
        ("mlp_ratio", (2,)),
        ("mlp_ratio", 0),
        ("mlp_ratio", "2"),
        ("skip_lam", 0),
        ("layer_norm_epsilon", 0),
    ],
)
def test_refuses_bad_arguments(name, value):
    with pytest.raises(ValueError, match=f"^`{name}` must be"):
        tiny(**{name: value})
