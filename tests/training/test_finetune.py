"""What `training.finetune` starts from, and what can be done with its result."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mlp
from keras_mlp import saved_model_info
from saved_models.make import make
from saved_models.verify import problems_of
from tests.contract import predict, with_random_weights
from tests.training.blank_pictures import blank_pictures
from training import finetune as program
from training.config import Data, FineTuneConfig, Optimizer, Runtime, Transfer
from training.evaluate import evaluate_source
from training.finetune import finetune
from training.models.starting_points import open_starting_point
from training.models.trained_model import trained_model
from training.report import write_report

NAMES = ["5", "6", "7"]
SIZES = {"num_layers": 1, "hidden_dim": 16, "token_mlp_dim": 8, "channel_mlp_dim": 16}


@pytest.fixture(scope="module")
def fine(data_dir):
    """A page that trains within seconds on three classes."""
    return FineTuneConfig(
        epochs=2,
        repeats=1,
        data=Data(
            name="digits",
            data_dir=data_dir,
            classes=(5, 6, 7),
            examples_per_class=8,
            validation_percent=0,
            batch_size=8,
        ),
        optimizer=Optimizer(learning_rate=5e-3),
        runtime=Runtime(steps_per_loop=6),
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A model with random weights in every form, as an artefact holds it."""
    folder = tmp_path_factory.mktemp("sources") / "artefact"
    folder.mkdir()
    keras.utils.set_random_seed(0)
    arguments = {"image_shape": (8, 8, 1), "dropout_rate": 0.1, **SIZES}
    model = with_random_weights(keras_mlp.MLPMixer.from_variant("pico/2", **arguments))
    model.save(folder / "model.keras")
    keras_mlp.export_saved_model(model, folder / "classifier", features=["block_0"])
    keras_mlp.export_saved_model(model, folder / "feature_vector", output="features")
    return folder


@pytest.fixture(scope="module")
def tuned(fine, sources, tmp_path_factory):
    """A function from the name of a source to the folder of its run, trained once."""
    folder, done = tmp_path_factory.mktemp("tuned"), set()

    def folder_of(name):
        if name not in done:
            with blank_pictures():
                finetune(fine, sources / name, folder / name)
            done.add(name)
        return folder / name

    return folder_of


@pytest.mark.parametrize("source", ["feature_vector", "classifier"])
def test_a_fine_tuned_saved_model_is_a_model_of_its_own(source, tuned, sources, tmp_path):
    run = shutil.copytree(tuned(source), tmp_path / "moved")
    model = keras.models.load_model(run / "model.keras")  # in safe mode, and without the source
    assert type(model) is keras_mlp.MLPMixer and model.class_names == tuple(NAMES)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype("uint8")
    loaded = tf.saved_model.load(str(run / "saved_model"))
    np.testing.assert_allclose(loaded(pixels), predict(model, pixels), rtol=0, atol=1e-5)
    info = saved_model_info(run / "saved_model")
    assert info["class_names"] == NAMES
    kinds = {each["signature"]: (each["dtype"], each["range"]) for each in info["inputs"]}
    assert kinds == {
        "serving_default": ("float32", [0, 1]),
        "serving_uint8": ("uint8", [0, 255]),
        "serving_bytes": ("string", None),
    }


def test_the_weights_are_those_that_were_trained(tuned, sources):
    """The layer that trained and the model that is saved compute the same."""
    metrics = json.loads((tuned("feature_vector") / "metrics.json").read_text())
    model = keras.models.load_model(tuned("feature_vector") / "model.keras")
    source = keras.models.load_model(sources / "model.keras")
    moved = [
        weight.path
        for weight, old in zip(model.weights[:-2], source.weights[:-2], strict=True)
        if not np.array_equal(weight, old)
    ]
    assert "block_0/channel_mlp/fc1/kernel" in moved and "stem/projection/kernel" in moved
    assert metrics["test"]["accuracy"] == metrics["accuracy"]["fine-tuned"][0]


def test_the_result_can_be_evaluated_reported_and_made_an_artefact(tuned, fine, tmp_path):
    run = shutil.copytree(tuned("feature_vector"), tmp_path / "run")
    expected = json.loads((run / "metrics.json").read_text())["test"]
    for path in (run, run / "model.keras", run / "saved_model"):
        found = evaluate_source(path, fine)
        assert found["classes"] == NAMES
        assert found["accuracy"] == pytest.approx(expected["accuracy"])
    assert "MLPMixer own size on digits" in write_report(run).read_text()
    artefact = make(run, tmp_path / "not" / "there")
    assert artefact.name == "mixer_digits" and problems_of(artefact) == []
    card = (artefact / "README.md").read_text()
    assert "MLPMixer own size, fine-tuned from `feature_vector` on Optical Recognition" in card
    assert str(tmp_path) not in card + (artefact / "metrics.json").read_text()


def test_an_artefact_its_parts_and_a_run_are_sources(sources, tuned):
    for source in (sources, sources / "model.keras", sources / "classifier", tuned("classifier")):
        start = open_starting_point(source, Transfer())
        assert type(start.build("fine-tuned", 4)) is keras_mlp.MLPMixer
    own = keras.models.load_model(sources / "model.keras")
    for source in (sources, sources / "classifier"):
        for weight, old in zip(trained_model(source).weights, own.weights, strict=True):
            np.testing.assert_array_equal(weight, old)
    assert not trained_model(sources / "feature_vector").include_top
    open_starting_point(sources, Transfer(layer_decay=0.5))  # an artefact's model.keras has layers


def test_published_weights_are_a_source_by_their_name(monkeypatch, sources):
    model = keras.models.load_model(sources / "model.keras")
    asked = []

    def from_preset(name):
        asked.append(name)
        return model

    monkeypatch.setattr(keras_mlp.VisionModel, "from_preset", from_preset)
    name = keras_mlp.presets()[0].name
    assert open_starting_point(name, Transfer()).image_shape == (8, 8, 1)
    assert asked == [name]


def test_a_wrong_first_try_does_not_claim_the_folder(fine, sources, tmp_path, blank):
    wrong = FineTuneConfig(epochs=9, repeats=1, data=Data(name="digits", classes=(77,)))
    with pytest.raises(ValueError, match=r"`data\.classes`"):
        finetune(wrong, sources / "model.keras", tmp_path / "run")
    with pytest.raises(ValueError, match="neither"):
        finetune(fine, sources / "absent", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_everything_learns_whatever_the_source_froze(tmp_path):
    model = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    keras_mlp.freeze_through(model, "block_1")
    model.save(tmp_path / "model.keras")
    start = open_starting_point(tmp_path / "model.keras", Transfer())
    for way in ("fine-tuned", "from scratch"):
        built = start.build(way, 3)
        assert len(built.trainable_weights) == len(built.weights) == len(model.weights)


def test_results_of_another_config_or_source_are_kept(fine, tuned, sources):
    other = FineTuneConfig(**{**vars(fine), "epochs": 3})
    before = (tuned("feature_vector") / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match="epochs: 2 there, 3 here") as error:
        finetune(other, sources / "feature_vector", tuned("feature_vector"))
    assert "accept-changes" not in str(error.value) and "another folder" in str(error.value)
    with pytest.raises(ValueError, match=r"results of another source \(.*feature_vector\)"):
        finetune(fine, sources / "classifier", tuned("feature_vector"))
    assert (tuned("feature_vector") / "metrics.json").read_bytes() == before


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A SavedModel of a Keras model that is not ours, with pixels as inputs."""
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(x))
    path = tmp_path_factory.mktemp("foreign") / "saved"
    return keras_mlp.export_saved_model(keras.Model(inputs, x), path)


def test_a_foreign_saved_model_says_first_what_is_not_possible(
    foreign, fine, tmp_path, monkeypatch, blank, capsys
):
    monkeypatch.chdir(foreign.parent)
    metrics = finetune(fine, foreign.name, tmp_path / "run")
    said = capsys.readouterr().out
    assert "does not describe how to build it: there is no training from scratch" in said
    assert "model.keras will need that folder and `safe_mode=False`; saved_model/ will not" in said
    assert set(metrics["accuracy"]) == {"frozen", "fine-tuned"}
    monkeypatch.chdir(tmp_path)
    run = (tmp_path / "run").rename(tmp_path / "moved")
    model = keras.models.load_model(run / "model.keras", safe_mode=False)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype("uint8")
    loaded = tf.saved_model.load(str(run / "saved_model"))
    np.testing.assert_allclose(loaded(pixels), predict(model, pixels), rtol=0, atol=1e-5)
    assert evaluate_source(run / "saved_model", fine)["classes"] == NAMES
    with pytest.raises(ValueError, match=r"safe_mode.* Or evaluate .*saved_model"):
        evaluate_source(run / "model.keras", fine)
    with pytest.raises(ValueError, match="did not train a new model"):
        make(run, tmp_path)


def test_a_source_that_is_not_there_is_one_line(fine, tmp_path):
    page = "training/configs/digits_transfer.py"
    arguments = ["--config", page, "--workdir", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        program.main([*arguments, "--source", "mixer_b16_224.goog_in21"])
    message = str(stop.value)
    assert message.startswith("error: `--source` mixer_b16_224.goog_in21 is neither a path")
    assert "'mixer_b16_224.goog_in21k'" in message and "\n" not in message
