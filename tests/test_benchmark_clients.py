"""The benchmark of clients that fine-tune: each client on a toy, and its figures on fake data."""

import argparse
import json

import numpy as np
import pytest

from benchmarks import client_fits, clients
from benchmarks.client_lesson import Digits, Lesson
from benchmarks.worker_process import WorkerFailed
from keras_mlp import MLPMixer, SavedModelLayer, export_saved_model, saved_model_info


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The SavedModel of a small model with random weights, and the digits at its size."""
    folder = tmp_path_factory.mktemp("toy")
    sizes = {"num_layers": 1, "hidden_dim": 16, "token_mlp_dim": 8, "channel_mlp_dim": 16}
    model = MLPMixer.from_variant("pico/2", image_shape=(8, 8, 1), **sizes)
    path = export_saved_model(model, folder / "toy", output="features")
    (folder / "tfds").mkdir()
    return path, Digits((8, 8, 1), str(folder / "tfds"))


def easy_lesson(steps=30):
    """Black and white images: two classes that any client can learn."""
    labels = np.arange(4 * steps) % 2
    images = np.broadcast_to(255 * labels[:, None, None, None], (4 * steps, 8, 8, 1))
    images = images.astype("uint8")
    return Lesson(images, labels, images[:6], labels[:6], batch=4, classes=2)


@pytest.mark.sweep
@pytest.mark.parametrize("client", client_fits.CLIENTS)
def test_every_client_learns_the_same_in_either_way(toy, client):
    lesson = easy_lesson()
    for trainable in (False, True):
        expected = client_fits.gradient_tape(toy[0], trainable, lesson, 1e-2)
        logits = client_fits.CLIENTS[client](toy[0], trainable, lesson, 1e-2)
        assert lesson.accuracy(logits) == 1.0 > lesson.accuracy(-logits)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-2 * np.abs(expected).max())


def test_trained_and_frozen_differ(toy):
    lesson = easy_lesson(steps=5)
    frozen, tuned = (
        client_fits.gradient_tape(toy[0], trainable, lesson, 1e-2) for trainable in (False, True)
    )
    assert np.abs(frozen - tuned).max() > 1e-2


def test_a_lesson_has_few_images_of_every_class_in_the_order_of_its_seed(toy):
    digits = toy[1]
    budget = {"per_class": 3, "steps": 7, "batch": 10}
    first, again, other = (digits.lesson(seed, "test", **budget) for seed in (0, 0, 1))
    assert first.images.shape == (70, 8, 8, 1) and first.images.dtype == "uint8"
    np.testing.assert_array_equal(np.bincount(first.labels[:60]), [6] * 10)
    assert len(np.unique(first.images, axis=0)) == 30
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    tuning = digits.lesson(0, "tuning", **budget)
    assert len(first.test_labels) == 360 and len(tuning.test_labels) == 287
    np.testing.assert_array_equal(tuning.images, first.images)


def test_from_scratch_is_the_same_architecture_with_other_weights(toy, tmp_path):
    source, _ = toy
    paths = [clients.untrained(source, tmp_path / str(seed), seed) for seed in (0, 1)]
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), "uint8")
    outputs = [np.array(SavedModelLayer(path)(images)) for path in paths]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3
    for path in paths:
        assert saved_model_info(path)["config"] == saved_model_info(source)["config"]


def test_the_best_rate_wins_and_the_lower_of_equals(monkeypatch):
    right = {1e-3: 0.5, 3e-3: 0.9, 1e-2: 0.9}
    lesson = argparse.Namespace(accuracy=lambda rate: right.get(rate, 0.1))
    monkeypatch.setattr(clients, "gradient_tape", lambda folder, trainable, lesson, rate: rate)
    assert clients.tuned_rate("folder", True, lesson) == 3e-3


def figures(frozen, tuned, scratch):
    return {"frozen": frozen, "fine-tuned": tuned, "from scratch": scratch}


def test_a_client_in_which_fine_tuning_does_not_win_is_warned_of():
    won, tied = figures([0.5], [0.8], [0.7]), figures([0.5], [0.7], [0.7])
    assert clients.warnings({"a": won}) == []
    assert clients.warnings({"a": won, "b": tied}) == [
        "b: fine-tuned is not better than from scratch."
    ]


def test_the_table_has_means_and_ranges():
    accuracy = {"a": figures([0.5, 0.6], [0.8, 0.9], [0.7, 0.7])}
    run = {"facts": {"date": "today"}, "rates": {"frozen": 0.01}, "accuracy": accuracy}
    text = clients.markdown(run)
    assert "- date: today\n- learning rates: frozen 0.01\n" in text
    assert (
        "| a | 55.0% (50.0% to 60.0%) | 85.0% (80.0% to 90.0%) | 70.0% (70.0% to 70.0%) |" in text
    )


@pytest.mark.sweep
def test_the_whole_command(toy, tmp_path, monkeypatch, capsys):
    source, digits = toy
    monkeypatch.setattr(clients, "Digits", lambda image_shape, data_dir: digits)
    monkeypatch.setattr(clients, "RATES", (1e-3,))
    monkeypatch.setattr(clients, "CLIENTS", {"tape": client_fits.gradient_tape})
    budget = ["--per-class", "2", "--steps", "2", "--batch", "5", "--seeds", "2"]
    clients.main(["--source", str(source), *budget, "--json", str(tmp_path / "run.json")])
    text = capsys.readouterr().out
    assert "- learning rates: frozen 0.001, fine-tuned 0.001, from scratch 0.001" in text
    assert "| tape | " in text and "- test images: 360" in text
    stored = json.loads((tmp_path / "run.json").read_text())
    assert [len(each) for each in stored["accuracy"]["tape"].values()] == [2, 2, 2]


def test_an_interpreter_without_hub_says_why(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no tensorflow_hub >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(WorkerFailed, match=r"(?s)hub.KerasLayer .* ended early.*no tensorflow_hub"):
        clients._hub_fits([], tmp_path, str(python))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "no/such"], "no/such was not written by keras_mlp"),
        (["--source", ".", "--steps", "0"], "`steps` must be a positive integer, got 0"),
        (["--source", ".", "--hub-python", "no/python"], "`hub_python` must be an interpreter"),
        (["--source", ".", "--json", "no/folder/x"], "`json` must be in an existing folder"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        clients.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_a_classifier_is_no_source(tmp_path):
    model = MLPMixer.from_variant("pico/2", image_shape=(8, 8, 1), num_layers=1)
    path = export_saved_model(model, tmp_path / "toy")
    with pytest.raises(ValueError, match="must be a SavedModel of a VisionModel's features"):
        clients.feature_vector(path)
