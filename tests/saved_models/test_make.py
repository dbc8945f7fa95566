"""What `saved_models.make` writes, and what it refuses."""

import json
import os
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mlp
import saved_models.make as program
from keras_mlp import saved_model_info
from saved_models.artefact import read_golden, read_labels, read_metrics
from saved_models.card import card, write_card
from saved_models.make import blocks_of, make
from saved_models.manifest import write_manifest
from saved_models.run import Run, short_name, without_paths
from saved_models.verify import problems_of
from tests.contract import predict, some_pixels


def test_the_folder_is_called_after_architecture_and_dataset(made):
    assert made.name == "mixer_digits"
    assert sorted(os.listdir(made)) == [
        "README.md",
        "classifier",
        "feature_vector",
        "golden.npz",
        "labels.txt",
        "manifest.json",
        "metrics.json",
        "model.keras",
        "sizes",
    ]
    assert os.listdir(made / "sizes") == ["12x16"]


def test_every_architecture_has_a_short_name():
    names = list(map(short_name, keras_mlp.ARCHITECTURES.values()))
    assert len(set(names)) == len(names) and all(re.fullmatch("[a-z]+", name) for name in names)


def test_it_passes_its_own_checks(made):
    assert problems_of(made) == []


def test_metrics_are_measured_on_the_artefact(made, finished_run):
    metrics = read_metrics(made)
    run = json.loads((finished_run("MLPMixer") / "metrics.json").read_text())
    model = keras.saving.load_model(made / "model.keras")
    assert metrics["test"]["accuracy"] == run["test"]["accuracy"] > 0.15
    assert metrics["test"]["examples"] == 360
    assert metrics["cost"]["classifier"]["parameters"] == model.count_params()
    assert metrics["cost"]["classifier"]["macs"] > model.count_params()
    assert max(metrics["agreement"].values()) <= 1e-5
    files = [file for file in (made / "classifier").rglob("*") if file.is_file()]
    assert metrics["bytes"]["classifier"] == sum(file.stat().st_size for file in files)
    assert metrics["feature_maps"] == {"block_0": [4, 4, 16]}
    assert list(metrics["sizes"]) == ["sizes/12x16"]
    assert metrics["training"]["steps"] == run["steps"]


def test_no_folder_of_the_machine_is_published(made, finished_run):
    text = (made / "metrics.json").read_text() + (made / "README.md").read_text()
    assert str(finished_run("MLPMixer").parent) not in text
    command = "python -m training.train --workdir /home/me/runs/one --set data.data_dir=/data --x 1"
    shortened = without_paths({"command": command})["command"]
    assert shortened == "python -m training.train --workdir one --x 1"


def test_golden_outputs_are_those_of_the_first_test_images(made, finished_run):
    golden = read_golden(made)
    model = keras.saving.load_model(finished_run("MLPMixer") / "model.keras")
    assert golden["images"].shape == (16, 8, 8, 1) and np.ptp(golden["images"]) == 255
    np.testing.assert_allclose(golden["logits"], model(golden["images"]), atol=1e-5)
    loaded = tf.saved_model.load(str(made / "feature_vector"))
    np.testing.assert_allclose(golden["features"], loaded(golden["images"]), atol=1e-5)


def test_the_classifier_carries_labels_and_maps(made):
    info = saved_model_info(made / "classifier")
    assert info["class_names"] == read_labels(made) == list("0123456789")
    assert info["features"] == ["block_0"]
    assert saved_model_info(made / "sizes" / "12x16")["image_shape"] == [12, 16, 1]


def test_blocks_of_stages_are_found():
    model = keras_mlp.RepMLPNet.from_variant("pico/2", image_shape=(8, 8, 1))
    names = blocks_of(model)
    assert len(names) == sum(model.num_layers) and names[0] == "stage_0_block_0"


@pytest.mark.slow
def test_a_repmlpnet_is_deployed_and_stays_trainable(finished_run, tmp_path):
    path = make(finished_run("RepMLPNet"), tmp_path)
    metrics = read_metrics(path)
    assert problems_of(path) == []
    assert metrics["form"] == "deployed" and "trains differently" in card(metrics)
    assert saved_model_info(path / "classifier")["config"]["deployed"] is True
    assert keras.saving.load_model(path / "model.keras").deployed is False
    assert 0 < max(metrics["agreement"].values()) < 1e-4


@pytest.mark.slow
def test_one_artefact_serves_every_size_of_its_run(finished_run, tmp_path):
    path = make(finished_run("MLPMixer", (8, 12, (8, 4))), tmp_path)
    curve = read_metrics(path)["curve"]
    assert [each["size"] for each in curve] == [[8, 4], [8, 8], [12, 12]]
    assert curve[1]["accuracy"] == read_metrics(path)["test"]["accuracy"]
    assert all(each["agreement"] <= 1e-5 for each in curve)
    text = (path / "README.md").read_text()
    assert f"| 12 x 12 | {curve[2]['accuracy']:.2%} |" in text and "serving_uint8_8x4" in text
    assert "another size than those of the table" in text
    for part in ("classifier", "feature_vector"):
        loaded = tf.saved_model.load(str(path / part))
        assert {"serving_uint8_12x12", "serving_default_8x4"} <= set(loaded.signatures)
    assert problems_of(path) == []
    # A size of the card that is not served is a problem.
    metrics = read_metrics(path)
    metrics["curve"].append({"size": [16, 16], "accuracy": 0.5, "agreement": 0.0})
    (path / "metrics.json").write_text(json.dumps(metrics))
    write_card(path)
    write_manifest(path, path.name)
    assert problems_of(path)


def test_a_deployed_model_has_one_size(finished_run, tmp_path):
    run = shutil.copytree(finished_run("RepMLPNet"), tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["config"]["data"]["image_sizes"] = [8, 12]
    (run / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(ValueError, match="give `--form training`"):
        make(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_in_the_middle_leaves_nothing(finished_run, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(keras_mlp, "export_saved_model", fail)
    with pytest.raises(OSError, match="no space left"):
        make(finished_run("MLPMixer"), tmp_path)
    assert os.listdir(tmp_path) == []


REFUSED = {
    "run": (lambda run, out: (out, out, {}), "is not a finished run"),
    "output": (lambda run, out: (run, run / "model.keras", {}), "is not a folder: .* is a file"),
    "inside": (lambda run, out: (run, run / "model.keras/x", {}), "is not a folder: .* is a file"),
    "form": (lambda run, out: (run, out, {"form": "folded"}), "`form` is 'folded'"),
    "name": (lambda run, out: (run, out, {"name": "../x"}), "`--name` must be lower-case"),
    "sizes": (lambda run, out: (run, out, {"sizes": [(9, 8)]}), "image_shape"),
    "data": (lambda run, out: (run, out, {"name": "taken"}), "taken already; see `--overwrite`"),
    "overwrite": (
        lambda run, out: (run, out, {"name": "taken", "overwrite": True}),
        "is not an artefact: `--overwrite` replaces nothing else",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_made_is_one_clear_error(case, finished_run, tmp_path):
    (tmp_path / "taken").mkdir()
    arguments, message = REFUSED[case]
    run, output, options = arguments(finished_run("MLPMixer"), tmp_path)
    with pytest.raises((ValueError, OSError), match=message) as error:
        make(run, output, **options)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["taken"]


def run_in(policy, finished_run, folder):
    """The folder of a run whose model has another dtype policy, and that model."""
    shutil.copy(finished_run("MLPMixer") / "metrics.json", folder)
    model = keras.saving.load_model(finished_run("MLPMixer") / "model.keras")
    copy = type(model).from_config({**model.get_config(), "dtype": policy})
    copy.set_weights(model.get_weights())
    copy.save(folder / "model.keras")
    return folder, model


def test_a_run_in_mixed_precision_computes_in_float32(finished_run, tmp_path):
    folder, model = run_in("mixed_bfloat16", finished_run, tmp_path)
    run = Run(folder)
    run.save(tmp_path / "artefact.keras")
    copy = keras.saving.load_model(tmp_path / "artefact.keras")
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(run.model, images), predict(model, images))
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))


def test_a_run_with_weights_in_half_precision_is_refused(finished_run, tmp_path):
    folder, _ = run_in("bfloat16", finished_run, tmp_path)
    with pytest.raises(ValueError, match="weights in bfloat16; an artefact needs a run in float32"):
        make(folder, tmp_path)


def test_a_model_whose_outputs_are_not_finite_is_refused(finished_run, tmp_path):
    run = shutil.copytree(finished_run("MLPMixer"), tmp_path / "run")
    model = keras.saving.load_model(run / "model.keras")
    model.get_layer("head").bias.assign(np.full(10, np.nan))
    model.save(run / "model.keras")
    with pytest.raises(ValueError, match=rf"`RUN` {run} .* not finite.*back_to_best {run}"):
        make(run, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


def test_a_run_of_another_program_is_refused(finished_run, tmp_path):
    metrics = json.loads((finished_run("MLPMixer") / "metrics.json").read_text())
    del metrics["config"]["model"]
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(ValueError, match=r"is not a run of training\.train"):
        make(tmp_path, tmp_path)


@pytest.mark.parametrize("part", ["command", "config", "data", "runtime"])
def test_damaged_metrics_of_a_run_are_named(part, finished_run, tmp_path):
    metrics = json.loads((finished_run("MLPMixer") / "metrics.json").read_text())
    (metrics["config"] if part in metrics["config"] else metrics)[part] = 3
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(ValueError, match=r"metrics\.json is damaged: .* Remove it and") as error:
        make(tmp_path, tmp_path)
    assert "\n" not in str(error.value)


def test_the_program_ends_with_one_clear_line(tmp_path):
    with pytest.raises(SystemExit) as stop:
        program.main([str(tmp_path), "--output", str(tmp_path)])
    assert str(stop.value).startswith("error: `RUN`") and "\n" not in str(stop.value)
    with pytest.raises(SystemExit):
        program.main([str(tmp_path), "--output", str(tmp_path), "--sizes", "32by48"])
