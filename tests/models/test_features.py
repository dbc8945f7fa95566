"""`VisionModel.features`: outputs of layers and of the branches of blocks, as a model."""

import keras
import numpy as np
import pytest

from keras_mlp import ARCHITECTURES, deploy, enable_lora, freeze_through
from keras_mlp.layers.layer_changes import changes_of
from keras_mlp.models.block import Block
from keras_mlp.models.feature_taps import tap_names
from tests.contract import (
    POLICIES,
    predict,
    reloaded,
    shallow,
    some_pixels,
    with_random_weights,
)
from tests.own_process import run_in_own_process
from tests.test_contract import factory

ON_JAX = """
import sys, jax, keras, numpy, keras_mlp
for architecture in sys.argv[2:]:
    path = f"{sys.argv[1]}/{architecture}"
    model = keras.models.load_model(path + ".keras")
    names = list(numpy.load(path + ".npz"))
    taps = jax.jit(model.features(names))(numpy.load(path + ".npy"))
    numpy.savez(path + "_jax.npz", **{name: numpy.asarray(tap) for name, tap in taps.items()})
"""


def blocks_of(model):
    return [layer.name for layer in model.layers if isinstance(layer, Block)]


def run(features, images, **kwargs):
    return {name: np.asarray(value) for name, value in features(images, **kwargs).items()}


def assert_features_are_the_models(model):
    """Every layer's output equals a plain model's, and branches add up to the block's output."""
    images = some_pixels(model)
    taps = run(model.features(tap_names(model), grid=False), images)
    assert taps.keys() == set(tap_names(model)) and blocks_of(model)
    outputs = {layer.name: layer.output for layer in model.layers}
    inputs = {name: model.get_layer(name).input for name in blocks_of(model)}
    outputs, inputs = (run(keras.Model(model.input, each), images) for each in (outputs, inputs))
    for name, expected in outputs.items():
        np.testing.assert_array_equal(taps[name], expected, name)
    if not model.blocks[0].is_additive:
        return
    tolerance = 1e-5 if model.dtype_policy.name == "float32" else 0.1
    for name, x in inputs.items():
        added = taps[f"{name}/token_mixing"] + taps[f"{name}/channel_mixing"]
        difference = np.abs(x + added - taps[name]).astype("float32").max()
        assert difference < tolerance, name
        assert np.abs(added).astype("float32").max() > 10 * difference


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_tap_is_what_the_model_computes(architecture):
    for overrides in ({}, {"include_top": False, "pooling": None}, {"dtype": "mixed_bfloat16"}):
        model = with_random_weights(shallow(factory(architecture))(**overrides))
        assert_features_are_the_models(model)


def test_the_deployed_form_has_features_too():
    model = with_random_weights(shallow(factory("RepMLPNet"))())
    deployed = deploy(model)
    assert_features_are_the_models(deployed)
    name = f"{blocks_of(model)[0]}/token_mixing"
    images = some_pixels(model)
    expected = run(model.features([name]), images)[name]
    np.testing.assert_allclose(run(deployed.features([name]), images)[name], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "policy"),
    [*((name, "float32") for name in ARCHITECTURES), *(("ViT", each) for each in POLICIES[1:])],
)
def test_grids_are_maps_without_the_class_token(architecture, policy):
    model = with_random_weights(shallow(factory(architecture))(dtype=policy))
    names = [*blocks_of(model), f"{blocks_of(model)[0]}/channel_mixing", "stem"]
    names += [layer.name for layer in model.layers if layer.name == "norm"]
    images = some_pixels(model)
    maps = run(model.features(names), images)
    plain = run(model.features(names, grid=False), images)
    for name in names:
        *_, height, width, channels = maps[name].shape
        assert maps[name].ndim == 4 and height * images.shape[2] == width * images.shape[1]
        tokens = plain[name].reshape(2, -1, channels)[:, -height * width :]
        np.testing.assert_array_equal(maps[name].reshape(tokens.shape), tokens)
    has_token = plain[names[0]].shape[1] == 1 + maps[names[0]].shape[1] * maps[names[0]].shape[2]
    assert has_token == model.has_class_token == (architecture in ("FFOnly", "ViT"))


def test_what_is_no_token_sequence_stays_as_it_is():
    model = with_random_weights(factory("ViT")())
    images = some_pixels(model)
    taps = run(model.features(["pixels", "pool", "head"]), images)
    np.testing.assert_array_equal(taps["pixels"], images)
    np.testing.assert_array_equal(taps["head"], predict(model, images))
    assert taps["pool"].shape == (2, 16)


def test_a_block_runs_once_however_much_is_asked_of_it():
    # In training, a second call would drop other units and update BatchNorm statistics twice.
    keras.utils.set_random_seed(0)
    model = with_random_weights(factory("RepMLPNet")(dropout_rate=0.5))
    images, first = some_pixels(model, batch=8), blocks_of(model)[0]
    names = [first, f"{first}/token_mixing", f"{first}/channel_mixing", "stem"]
    before = model.get_layer("stage_0_block_0").norm1.moving_mean.numpy()
    taps = run(model.features([*names, "head"]), images, training=True)
    added = taps[f"{first}/token_mixing"] + taps[f"{first}/channel_mixing"]
    np.testing.assert_allclose(taps["stem"] + added, taps[first], rtol=0, atol=1e-4)
    after = model.get_layer("stage_0_block_0").norm1.moving_mean.numpy()
    mean = taps["stem"].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(after, 0.9 * before + 0.1 * mean, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_on_top_of_features_trains_the_model(architecture):
    model = with_random_weights(factory(architecture)())
    last = blocks_of(model)[-1]
    pixels = keras.Input(model.image_shape)
    taps = model.features([last, f"{last}/token_mixing"])(pixels)
    pooled = [keras.layers.GlobalAveragePooling2D()(tap) for tap in taps.values()]
    logits = keras.layers.Dense(3)(keras.layers.Concatenate()(pooled))
    trained = keras.Model(pixels, logits)
    before = {weight.path: np.asarray(weight) for weight in model.trainable_weights}
    logits_before = predict(model, some_pixels(model))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile("sgd", loss, jit_compile=False)
    trained.fit(some_pixels(model, batch=4), np.array([0, 1, 2, 0]), verbose=0)
    moved = [w.path for w in model.trainable_weights if not np.array_equal(w, before[w.path])]
    assert {path.partition("/")[0] for path in moved} >= {"stem", blocks_of(model)[0], last}
    assert not [path for path in moved if path.startswith(("norm/", "head/"))]
    assert np.abs(predict(model, some_pixels(model)) - logits_before).max() > 1e-6


@pytest.mark.sweep
def test_features_on_jax_are_the_same(tmp_path):
    pytest.importorskip("jax", reason="jax is not installed")
    expected = {}
    for architecture in ("GMLP", "RepMLPNet", "ViT"):
        model = with_random_weights(factory(architecture)())
        images, blocks = some_pixels(model), blocks_of(model)
        names = [f"{blocks[0]}/token_mixing", f"{blocks[-1]}/channel_mixing", blocks[-1], "stem"]
        expected[architecture] = run(model.features(names), images)
        model.save(tmp_path / f"{architecture}.keras")
        np.save(tmp_path / f"{architecture}.npy", images)
        np.savez(tmp_path / f"{architecture}.npz", **expected[architecture])
    run_in_own_process(ON_JAX, tmp_path, *expected, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    for architecture, taps in expected.items():
        for name, found in np.load(tmp_path / f"{architecture}_jax.npz").items():
            np.testing.assert_allclose(found, taps[name], rtol=0, atol=1e-4, err_msg=name)


def test_the_model_itself_stays_as_it_was(tmp_path):
    model = with_random_weights(factory("MLPMixer")(name="toy"))
    images, paths = some_pixels(model), [weight.path for weight in model.weights]
    logits, config = predict(model, images), model.get_config()
    taps = run(model.features(["block_0/token_mixing", "block_1"]), images)
    assert [weight.path for weight in model.weights] == paths and model.get_config() == config
    np.testing.assert_array_equal(predict(model, images), logits)
    # A layer that was called twice can still end a model, return features again, and be saved.
    again = run(model.features(["block_0/token_mixing", "block_1"]), images)
    keras.tree.map_structure(np.testing.assert_array_equal, again, taps)
    model.save(tmp_path / "toy.keras")
    np.testing.assert_array_equal(
        predict(keras.models.load_model(tmp_path / "toy.keras"), images), logits
    )


def test_features_survive_a_file(tmp_path):
    model = with_random_weights(factory("ViT")(layer_scale_init_value=0.1))
    features = model.features(["block_0/channel_mixing", "block_1", "norm"])
    features.save(tmp_path / "features.keras")
    copy = keras.models.load_model(tmp_path / "features.keras")
    images = some_pixels(model)
    expected = run(features, images)
    keras.tree.map_structure(np.testing.assert_array_equal, run(copy, images), expected)


CHANGES = {
    "quantized": lambda model: model.quantize("int8"),
    "lora": lambda model: enable_lora(model, 2),
    "frozen": lambda model: freeze_through(model, blocks_of(model)[1]),
}


@pytest.mark.parametrize("architecture", ["MLPMixer", "RepMLPNet"])
@pytest.mark.parametrize("kind", CHANGES)
def test_changes_of_layers_survive_a_file(kind, architecture):
    model = with_random_weights(factory(architecture)())
    CHANGES[kind](model)
    block = blocks_of(model)[1]
    features = model.features([block, f"{block}/token_mixing", "head"])
    copy = reloaded(features)
    assert changes_of(features)[kind] and changes_of(copy) == changes_of(features)
    for name in ("weights", "trainable_weights"):
        paths = [[w.path for w in getattr(each, name)] for each in (copy, features)]
        assert paths[0] == paths[1]
    images = some_pixels(model)
    expected = run(features, images)
    keras.tree.map_structure(np.testing.assert_array_equal, run(copy, images), expected)


def test_what_is_frozen_does_not_move_after_a_file():
    model = with_random_weights(shallow(factory("RepMLPNet"))())
    model = freeze_through(model, "stage_0_block_0")
    copy = reloaded(model.features(["stage_0_block_0/token_mixing", "head"]))
    before = {weight.path: np.array(weight) for weight in copy.weights}
    images = some_pixels(model, batch=4)
    copy.compile("sgd", {"head": "mse"}, jit_compile=False)
    copy.fit(images, {"head": np.ones((4, model.num_classes))}, verbose=0)
    moved = {w.path.partition("/")[0] for w in copy.weights if (w != before[w.path]).numpy().any()}
    assert moved == {layer.name for layer in model.layers if layer.trainable and layer.weights}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["block_7"], r"`names` is 'block_7'\. Did you mean 'block_\d'\? Allowed: 'pixels', "),
        (["block_1/tokenmixing"], "Did you mean 'block_1/token_mixing'?"),
        (["stem/token_mixing"], "`names` is 'stem/token_mixing'"),
        ([None], "`names` is None"),
        ([], r"`names` must be a list of at least one name, got \[\]"),
        ("block_1", "`names` must be a list of at least one name, got 'block_1'"),
        (["stem", "norm", "stem"], "`names` must differ, got 'stem' more than once"),
    ],
)
def test_refuses_names_that_it_cannot_give(names, message):
    with pytest.raises(ValueError, match=message):
        factory("MLPMixer")().features(names)


def test_refuses_a_grid_that_is_no_bool():
    with pytest.raises(ValueError, match="`grid` must be True or False, got 4"):
        factory("MLPMixer")().features(["stem"], grid=4)
