"""with_image_shape: the same weights for another image size, or a clear error."""

import dataclasses
import importlib.util

import numpy as np
import pytest

import keras_mlp
from keras_mlp import ARCHITECTURES, GMLP, ViT, deploy, load_checkpoint, with_image_shape
from keras_mlp.weights.image_shape import POSITION_METHODS
from keras_mlp.weights.token_mixing_resize import interpolate_tokens
from tests.contract import predict, reloaded, shallow, some_pixels, with_random_weights
from tests.models.test_mlp_mixer import mixer_like
from tests.oracle import Oracle
from tests.test_contract import ROWS, factory
from tests.test_jax import run_on_jax

CHANGED = [name for name, row in ROWS.items() if row.token_weights]
COPIED = [name for name, row in ROWS.items() if row.copies]
# The toys have 16 x 24 pixels in 4 x 6 patches. The second has as many tokens on another grid.
SHAPES = ((32, 48, 3), (24, 16, 3), (40, 16, 3))


def toy(architecture, **overrides):
    """A model with random weights, of one block per stage: resizing treats all blocks alike."""
    return with_random_weights(shallow(factory(architecture))(**overrides))


def weights_of(model):
    return {weight.path: np.array(weight) for weight in model.weights}


def assert_same_weights(model, weights):
    assert [weight.path for weight in model.weights] == list(weights)
    for path, array in weights_of(model).items():
        np.testing.assert_array_equal(array, weights[path], err_msg=path)


def smooth_tokens(grid, batch=4):
    """Colours (B, h, w, 3) that vary over the grid by half a period, and between pictures."""
    y, x = ((np.arange(side) + 0.5) / side for side in grid)
    waves = [np.ones(grid), np.cos(np.pi * y)[:, None] + 0 * x, 0 * y[:, None] + np.cos(np.pi * x)]
    colours = np.random.default_rng(3).normal(size=(batch, 3, 3))
    return np.einsum("khw,bkc->bhwc", waves, colours)


def patches(tokens):
    """Images whose patches of 4 x 4 pixels have one colour each."""
    return tokens.repeat(4, axis=1).repeat(4, axis=2).astype("float32")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_shape_is_the_identity(architecture):
    model = toy(architecture)
    expected = predict(model, some_pixels(model))
    for method in ("interpolate", "block_diagonal"):
        same = with_image_shape(model, list(model.image_shape), method=method)
        assert same is not model and same.get_config() == model.get_config()
        assert_same_weights(same, weights_of(model))
        np.testing.assert_array_equal(predict(same, some_pixels(model)), expected)


@pytest.mark.parametrize("architecture", CHANGED)
def test_only_what_runs_over_tokens_changes(architecture):
    model = toy(architecture, name="toy")
    before, config = weights_of(model), model.get_config()
    for shape in SHAPES:
        new = with_image_shape(model, shape)
        assert type(new) is type(model) and new.name == "toy" and new.image_shape == shape
        assert predict(new, some_pixels(new)).shape == (2, model.num_classes)
        after = weights_of(new)
        same = [path for path in before if np.array_equal(after[path], before[path])]
        ends = ROWS[architecture].token_weights
        kept = [path for path in before if new.token_grid(path) == model.token_grid(path)]
        assert same == [path for path in before if not path.endswith(ends) or path in kept]
        for weight in new.weights:  # nothing is shared with the original model
            weight.assign(np.zeros(weight.shape))
    assert model.get_config() == config
    assert_same_weights(model, before)


@pytest.mark.parametrize("architecture", CHANGED)
def test_larger_and_back_gives_the_same_model(architecture):
    model = toy(architecture)
    back = with_image_shape(with_image_shape(model, (32, 40, 3)), model.image_shape)
    images = some_pixels(model)
    exact = architecture != "ViT"  # the published interpolations are not invertible
    tolerance = 1e-4 if exact else 0.2 * predict(model, images).std()
    np.testing.assert_allclose(
        predict(back, images), predict(model, images), rtol=0, atol=tolerance
    )


def scale(model, factor):
    """Multiplies all kernels of the model that sum over tokens by a factor."""
    ends = (
        "token_mlp/fc1/kernel",
        "token_linear/kernel",
        "fc3/kernel",
        "permute_mlp/height/kernel",
    )
    for weight in model.weights:
        if weight.path.endswith(ends):
            weight.assign(factor * np.asarray(weight))


# Convolutions in and between blocks keep their size in pixels of the map.
ONE_STAGE = {"num_layers": (2,), "hidden_dim": (8,), "num_sharesets": (2,), "deployed": True}
SCALE_FREE = {
    "RepMLPNet": ONE_STAGE,
    "VisionPermutator": {"num_layers": (2,), "hidden_dim": (8,), "downsample": ()},
}


@pytest.mark.parametrize("architecture", CHANGED)
def test_smooth_pictures_get_the_logits_that_they_had(architecture):
    arguments = {"num_layers": 2, **SCALE_FREE.get(architecture, {})}
    model = toy(architecture, include_preprocessing=False, **arguments)
    tokens = smooth_tokens(model.grid)
    logits = predict(model, patches(tokens))
    spread = logits.std(axis=0).mean()
    for shape in ((32, 48, 3), (24, 56, 3)):
        new, new_tokens = with_image_shape(model, shape), smooth_tokens(_grid(shape))

        def error(new=new, new_tokens=new_tokens):
            return np.abs(predict(new, patches(new_tokens)) - logits).mean() / spread

        right = error()
        assert right < 0.15
        if architecture == "ViT":  # it sums over tokens with computed weights
            continue
        more = new_tokens[0].size / tokens[0].size
        scale(new, more)
        assert error() > 2 * right, f"{shape}: {error():.3f} and {right:.3f}"
        scale(new, more**-0.5)  # times the square root in all
        assert error() > 2 * right, f"{shape}: {error():.3f} and {right:.3f}"


def _grid(shape):
    return shape[0] // 4, shape[1] // 4


@pytest.mark.parametrize("architecture", CHANGED)
def test_without_top_and_as_a_map(architecture):
    model = toy(architecture, include_top=False, pooling=None)
    new = with_image_shape(model, (32, 24, 3))
    factor = model.image_shape[0] // model.output_shape[1]
    assert new.output_shape == (None, 32 // factor, 24 // factor, model.output_shape[-1])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16"])
def test_keeps_policy_and_what_is_frozen(policy):
    model = toy("MLPMixer", dtype=policy)
    model.get_layer("stem").trainable = False
    model.get_layer("block_0").token_mlp.trainable = False
    new = with_image_shape(model, (24, 24, 3))
    assert new.dtype_policy.name == policy
    expected = [weight.path for weight in model.trainable_weights]
    assert [weight.path for weight in new.trainable_weights] == expected
    same = with_image_shape(model, model.image_shape)
    for weight, other in zip(model.weights, same.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other))
    assert_same_weights(reloaded(new), weights_of(new))


def sub_images(images, height, width):
    """Images cut into tiles: (number of tiles, B, h, w, C)."""
    batch, rows, columns = len(images), images.shape[1] // height, images.shape[2] // width
    tiles = images.reshape(batch, rows, height, columns, width, -1)
    return tiles.transpose(1, 3, 0, 2, 4, 5).reshape(-1, batch, height, width, images.shape[-1])


@pytest.mark.parametrize("architecture", COPIED)
def test_copies_give_the_mean_over_sub_images(architecture):
    model = toy(architecture, num_layers=ROWS[architecture].toy["num_layers"])
    for weight in model.weights:
        if weight.path.endswith("global_perceptron/fc2/kernel"):
            weight.assign(np.zeros(weight.shape))  # these gates average over the whole map
    for shape in ((32, 48, 3), (16, 48, 3)):
        new = with_image_shape(model, shape, method="block_diagonal")
        images = some_pixels(new)
        expected = np.mean([predict(model, each) for each in sub_images(images, 16, 24)], axis=0)
        np.testing.assert_allclose(predict(new, images), expected, rtol=0, atol=2e-5)
        assert expected.std() > 0.01


def test_copies_equal_the_papers_expansion(tmp_path):
    oracle = Oracle("mixer_highres_k2")
    size = oracle.config["kwargs"]["img_size"]
    model = mixer_like(oracle, image_shape=(size, size, 3))
    load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".safetensors"))
    new = with_image_shape(model, oracle.x.shape[1:], method="block_diagonal")
    oracle.check(new(oracle.x))
    features = keras_mlp.MLPMixer(**{**_arguments(new), "include_top": False})
    features.set_weights(new.get_weights()[:-2])
    oracle.check(features(oracle.x), "features")
    assert new.token_mlp_dim == 4 * model.token_mlp_dim


def _arguments(model):
    names = ("frozen", "quantized", "lora")
    return {key: value for key, value in model.get_config().items() if key not in names}


@pytest.mark.parametrize("architecture", CHANGED)
def test_reinitialized_is_what_runs_over_tokens_and_nothing_else(architecture):
    model, row = toy(architecture), ROWS[architecture]
    for shape in ((32, 40, 3), (16, 24, 3)):
        new = weights_of(with_image_shape(model, shape, method="reinitialize"))
        for path, array in weights_of(model).items():
            is_new = path.endswith((*row.token_weights, *row.drawn_anew))
            assert np.array_equal(array, new[path]) != is_new, path


def test_every_stage_of_repmlpnet_has_its_grid():
    model = toy("RepMLPNet")
    new = weights_of(with_image_shape(model, (24, 40, 3)))
    grids = {"stage_0_block_0": ((4, 6), (6, 10)), "stage_1_block_0": ((2, 3), (3, 5))}
    for name, (grid, new_grid) in grids.items():
        path = f"{name}/repmlp/fc3/kernel"
        kernel = weights_of(model)[path]
        expected = [interpolate_tokens(each, ("in", "out"), grid, new_grid) for each in kernel]
        np.testing.assert_allclose(new[path], expected, rtol=0, atol=1e-6)


def test_repmlpnet_deploys_after_and_before():
    model = toy("RepMLPNet")
    new = with_image_shape(model, (32, 48, 3))
    images = some_pixels(new)
    np.testing.assert_allclose(
        predict(deploy(new), images), predict(new, images), rtol=0, atol=1e-5
    )
    deployed = with_image_shape(deploy(model), (32, 48, 3))
    bias = weights_of(deploy(model))["stage_1_block_0/repmlp/fc3/bias"]
    expected = [interpolate_tokens(each, ("out",), (2, 3), (4, 6)) for each in bias]
    found = weights_of(deployed)["stage_1_block_0/repmlp/fc3/bias"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_partitions_of_repmlpnet_keep_their_size():
    model = toy("RepMLPNet", partition_size=((2, 3), (2, 3)), official_reassembly=False)
    for method in ("interpolate", "block_diagonal"):
        new = with_image_shape(model, (32, 24, 3), method=method)
        assert_same_weights(new, weights_of(model))
    with pytest.raises(ValueError, match="has partitions that `official_reassembly`=True puts"):
        with_image_shape(toy("RepMLPNet", partition_size=(2, 1)), (32, 24, 3))


def test_defaults_of_ff_only_that_follow_the_image_size_are_kept():
    model = toy("FFOnly", token_mlp_dim=None, position_grid=None)
    new = with_image_shape(model, (32, 48, 3))
    assert new.get_layer("block_0").token_mlp_dim == 4 * (1 + 24)
    assert new.position_grid == (4, 6)
    class_row = weights_of(new)["block_0/token_mlp/fc1/kernel"][0]
    np.testing.assert_array_equal(class_row, weights_of(model)["block_0/token_mlp/fc1/kernel"][0])


def test_the_gates_of_amlp_are_interpolated_too():
    model = with_random_weights(factory("GMLP")(attention_dim=8))
    new = with_image_shape(model, (32, 48, 3))
    assert isinstance(new, GMLP) and new.attention_dim == 8
    assert predict(new, some_pixels(new)).shape == (2, 5)


@pytest.mark.parametrize("method", POSITION_METHODS)
def test_positions_of_a_vit_are_the_published_ones(method):
    oracle = Oracle("posembed_interp")
    names = {"bicubic_antialias": "timm_bicubic_antialias", "bilinear": "timm_bilinear"}
    name = {**names, "bicubic": "bicubic_noaa", "zoom": "jax_zoom_order1"}[method]
    model = ViT(image_shape=(8, 8, 3), patch_size=2, num_layers=1, hidden_dim=8, num_heads=2)
    model.get_layer("position_embedding").embeddings.assign(oracle.arrays["pos_embed"])
    for key in oracle.arrays:
        if key.rpartition("_")[0] == name:
            height, width = map(int, key.rpartition("_")[2].split("x"))
            shape = (2 * height, 2 * width, 3)
            new = with_image_shape(model, shape, position_method=method)
            found = weights_of(new)["position_embedding/embeddings"]
            np.testing.assert_allclose(found, oracle.arrays[key], rtol=0, atol=1e-6)


def test_a_vit_without_a_class_token():
    model = toy("ViT", class_token=False, pooling="avg")
    new = with_image_shape(model, (32, 24, 3))
    assert new.get_layer("position_embedding").embeddings.shape == (1, 48, 16)


def quantized():
    model = toy("MLPMixer", name="toy")
    model.quantize("int8")
    return model


def with_lora():
    model = toy("MLPMixer", name="toy")
    model.get_layer("block_0").channel_mlp.fc1.enable_lora(2)
    return model


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("MLPMixer", {"image_shape": (18, 24, 3)}, "(18, 24, 3) is not divisible by `patch_size`"),
        ("MLPMixer", {"image_shape": (32, 48)}, "must be (height, width, channels), got (32, 48)"),
        ("MLPMixer", {"image_shape": (0, 48, 3)}, "`image_shape` must be a positive integer"),
        ("MLPMixer", {"method": "interpolated"}, "Did you mean 'interpolate'?"),
        ("ViT", {"position_method": "bicubics"}, "`position_method` is 'bicubics'. Did you mean"),
        (
            "ResMLP",
            {"image_shape": (32, 36, 3), "method": "block_diagonal"},
            "needs whole multiples of the image shape of toy, (16, 24, 3), got",
        ),
        ("FFOnly", {"method": "block_diagonal"}, "is not defined for `model` toy: sub-images of F"),
        ("ViT", {"method": "block_diagonal"}, "is not defined for `model` toy: sub-images of ViT"),
        (
            lambda: toy("GMLP", name="toy", attention_dim=4),
            {"method": "block_diagonal"},
            "sub-images of GMLP share a class token or attention",
        ),
        (
            "VisionPermutator",
            {"image_shape": (32, 32, 3), "method": "block_diagonal"},
            "sub-images of VisionPermutator share the rows and columns",
        ),
        ("VisionPermutator", {"image_shape": (20, 24, 3)}, "both sides must be multiples of 2"),
        ("RepMLPNet", {"image_shape": (20, 24, 3)}, "2 stages cannot halve 1 times"),
        (quantized, {}, "`model` toy is quantized or has LoRA factors"),
        (with_lora, {}, "`model` toy is quantized or has LoRA factors"),
        (lambda: "model.keras", {}, "`model` must be a keras_mlp model such as MLPMixer, got"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),  # no address: it varies
)
def test_refuses_with_the_reason(model, arguments, message):
    model = model() if callable(model) else toy(model, name="toy")
    with pytest.raises(ValueError) as error:
        with_image_shape(model, **{"image_shape": (32, 48, 3), **arguments})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_weight_without_a_rule_is_never_left_to_chance(monkeypatch):
    model = toy("MLPMixer", name="toy")
    axes = dict(keras_mlp.MLPMixer.token_mixing.axes)
    del axes["token_mlp/fc2/bias"]
    mixing = dataclasses.replace(keras_mlp.MLPMixer.token_mixing, axes=axes)
    monkeypatch.setattr(keras_mlp.MLPMixer, "token_mixing", mixing)
    with pytest.raises(ValueError, match=r"fc2/bias of toy has shape .* there is no rule"):
        with_image_shape(model, (32, 48, 3))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_a_rule_or_a_refusal(architecture):
    """At another size every weight fits, or the architecture explains why it cannot by a method."""
    model = toy(architecture)
    shape = (32, 32, 3)
    for method in ("interpolate", "reinitialize"):
        new = with_image_shape(model, shape, method=method)
        assert predict(new, some_pixels(new)).shape == (2, 5)
    if ROWS[architecture].copies:
        assert with_image_shape(model, (32, 48, 3), method="block_diagonal").grid == (8, 12)
    else:
        with pytest.raises(ValueError, match=r"sub-images of .* share"):
            with_image_shape(model, (32, 48, 3), method="block_diagonal")


RESIZE = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
import keras, numpy, keras_mlp
model = keras.models.load_model(sys.argv[1])
new = keras_mlp.with_image_shape(model, (32, 40, 3))
numpy.savez(sys.argv[2], **{w.path.replace("/", "|"): numpy.asarray(w) for w in new.weights})
assert keras.backend.backend() == "jax"
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_without_tensorflow_gives_the_same_weights(tmp_path):
    model = toy("FFOnly")
    model.save(tmp_path / "toy.keras")
    run_on_jax(RESIZE, tmp_path / "toy.keras", tmp_path / "new.npz")
    expected = weights_of(with_image_shape(model, (32, 40, 3)))
    with np.load(tmp_path / "new.npz") as found:
        for path, array in expected.items():
            np.testing.assert_array_equal(found[path.replace("/", "|")], array)
