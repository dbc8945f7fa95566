"""A SavedModel of ours becomes a Keras model again, with every weight."""

import json
import shutil

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp import export_saved_model, load_saved_model
from tests.contract import predict, some_pixels, with_random_weights
from tests.export.toys import functional, toy
from tests.test_contract import factory

ONE_STAGE = {"num_layers": (1,), "hidden_dim": (8,), "num_sharesets": (2,)}


@pytest.mark.parametrize(
    ("architecture", "sizes"),
    [("RepMLPNet", ONE_STAGE), ("ViT", {"num_layers": 1})],  # BatchNorm; a class token
    ids=["RepMLPNet", "ViT"],
)
def test_the_model_is_back_with_all_its_weights(architecture, sizes, tmp_path):
    make = factory(architecture)
    model = with_random_weights(make(**sizes, num_classes=3, dtype="mixed_bfloat16"))
    taps = [model.blocks[0].name]
    export_saved_model(model, tmp_path / "saved", features=taps, class_names=["a", "b", "c"])
    back = load_saved_model(tmp_path / "saved")
    assert type(back) is type(model) and back.class_names == ("a", "b", "c")
    assert back.dtype_policy.name == "mixed_bfloat16"
    for weight, old in zip(back.weights, model.weights, strict=True):
        assert weight.path.split("/")[1:] == old.path.split("/")[1:]
        np.testing.assert_array_equal(weight, old)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(back, images), predict(model, images))


def test_changes_to_layers_come_back(tmp_path):
    model = with_random_weights(factory("MLPMixer")(num_classes=3))
    keras_mlp.freeze_through(model, "block_0")
    model.quantize("int8")
    export_saved_model(model, tmp_path / "saved")
    back = load_saved_model(tmp_path / "saved")
    assert back.get_config() == {**model.get_config(), "name": back.name}
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(back, images), predict(model, images))


def test_features_come_back_without_a_classifier(tmp_path):
    model = toy()
    keras_mlp.enable_lora(model, 2)  # it leaves the classifier trainable
    model.get_layer("head").trainable = False
    export_saved_model(model, tmp_path / "saved", output="features", features=["block_0"])
    back = load_saved_model(tmp_path / "saved")
    assert not back.include_top and back.output.shape == (None, 8)
    expected = keras.Model(model.input, model.get_layer("head").input)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(back, images), predict(expected, images))


def test_probabilities_come_back_as_probabilities(tmp_path):
    model = toy(classifier_activation="softmax")
    export_saved_model(model, tmp_path / "saved")
    back = load_saved_model(tmp_path / "saved")
    np.testing.assert_array_equal(
        predict(back, some_pixels(model)), predict(model, some_pixels(model))
    )


def test_the_graph_is_not_read(exported, tmp_path):
    model, path = exported
    folder = shutil.copytree(path, tmp_path / "saved")
    (folder / "saved_model.pb").write_bytes(b"no graph")
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(load_saved_model(folder), images), predict(model, images))


def test_a_model_of_another_kind_is_refused(tmp_path):
    export_saved_model(functional(keras.Input((4, 4, 3))), tmp_path / "other")
    with pytest.raises(ValueError, match="holds a Functional, not a model of keras_mlp"):
        load_saved_model(tmp_path / "other")
    with pytest.raises(ValueError, match=r"was not written by keras_mlp"):
        load_saved_model(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "variables"), "weights of .* cannot be read"),
        (lambda folder: describe(folder, hidden_dim=16), "its weights are not those of the MLPM"),
        (lambda folder: describe(folder, hidden_dim=-1), "describes no model: `hidden_dim` must"),
        (lambda folder: describe(folder, widht=3), "describes no model: .*widht"),
    ],
)
def test_damage_is_named(exported, damage, message, tmp_path):
    folder = shutil.copytree(exported[1], tmp_path / "saved")
    damage(folder)
    with pytest.raises(ValueError, match=message) as error:
        load_saved_model(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)


def describe(folder, **changes):
    """Changes the config in a SavedModel's description."""
    file = folder / "keras_mlp.json"
    info = json.loads(file.read_text())
    info["config"] |= changes
    file.write_text(json.dumps(info))
