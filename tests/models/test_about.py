"""What `repr` and `summary` say of a model, and where its weights came from."""

import zipfile

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp.models.about import SOURCE_FILE
from tests.contract import with_random_weights


@pytest.fixture(scope="module")
def model():
    return with_random_weights(keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10))


@pytest.fixture(scope="module")
def weights_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    keras_mlp.save_checkpoint(model, path)
    return path


@pytest.fixture(scope="module")
def loaded(weights_file):
    model = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10, name="loaded")
    keras_mlp.load_checkpoint(model, weights_file)
    return model


def summary(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


def test_repr_is_one_line(model, loaded):
    assert repr(loaded) == (
        "<MLPMixer pico/2, name=loaded: 8 x 8 x 3 pixels to 10 logits, 139,274 parameters, "
        "weights from own.safetensors>"
    )
    assert "weights" not in repr(model) and "\n" not in repr(model)


def test_the_summary_says_what_to_feed(loaded):
    text = summary(loaded)
    assert "Total params: 139,274" in text  # Keras' own
    assert "Size: MLPMixer pico/2" in text
    assert "Images: 8 x 8 x 3 pixels" in text
    assert "Pixels: [0, 255], uint8 or float" in text and "mean 0.5, std 0.5" in text
    assert "Weights: from own.safetensors" in text


def test_the_summary_is_printed(model, capsys):
    model.summary()
    assert "Output: 10 logits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"include_preprocessing": False}, "Pixels: normalised by the caller"),
        ({"pixel_mean": (0.5, 0.4, 0.3)}, "mean 0.5, 0.4, 0.3"),
        ({"classifier_activation": "softmax"}, "Output: 1000 probabilities (softmax)"),
        ({"include_top": False}, "Output: features, 64"),
        ({"include_top": False, "pooling": None}, "Output: features, 4 x 4 x 64"),
        ({"image_shape": (12, 16, 3)}, "Size: MLPMixer pico/2"),
        ({"hidden_dim": 32}, "Size: MLPMixer, own size"),
    ],
)
def test_each_argument_shows(arguments, expected):
    model = keras_mlp.analysis.weightless(keras_mlp.MLPMixer.from_variant, "pico/2", **arguments)
    assert expected in summary(model)


@pytest.mark.parametrize("variant", ["T224", "T256"])
def test_sizes_that_differ_in_the_image_are_told_apart(variant):
    model = keras_mlp.analysis.weightless(keras_mlp.RepMLPNet.from_variant, variant)
    assert f"RepMLPNet {variant}," in repr(model)


def test_the_source_survives_a_file(loaded, tmp_path):
    loaded.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.weights_source == "own.safetensors"
    outer = keras.Sequential([keras.Input((8, 8, 3)), loaded, keras.layers.Dense(2)])
    outer.save(tmp_path / "outer.keras")
    assert keras.models.load_model(tmp_path / "outer.keras").layers[0].weights_source == (
        "own.safetensors"
    )


def test_files_without_a_source_load_as_before(model, tmp_path):
    model.save(tmp_path / "model.keras")
    assert not any(
        SOURCE_FILE in name for name in zipfile.ZipFile(tmp_path / "model.keras").namelist()
    )
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.weights_source is None and copy.get_config() == model.get_config()
    assert "weights_source" not in model.get_config()


def test_models_made_from_it_keep_the_source(loaded):
    made = [
        keras_mlp.with_new_head(loaded, 3),
        keras_mlp.with_image_shape(loaded, (12, 16, 3)),
        loaded,
    ]
    assert {each.weights_source for each in made} == {"own.safetensors"}
    # New weights of the same arguments are not from the file.
    assert type(loaded).from_config(loaded.get_config()).weights_source is None


def test_lora_and_deployment_keep_the_source(loaded):
    adapted = keras_mlp.with_new_head(loaded, 3)
    keras_mlp.enable_lora(adapted, rank=2)
    assert keras_mlp.merge_lora(adapted).weights_source == "own.safetensors"
    rep = keras_mlp.RepMLPNet.from_variant("pico/2", num_classes=2)
    rep.weights_source = "rep.pth"
    assert keras_mlp.deploy(rep).weights_source == "rep.pth"


def test_from_preset_names_the_file(weights_file):
    model = keras_mlp.MLPMixer.from_preset(weights_file, variant="pico/2", num_classes=10)
    assert model.weights_source == "own.safetensors"
    assert np.isfinite(model(np.zeros((1, 8, 8, 3), "uint8"))).all()
