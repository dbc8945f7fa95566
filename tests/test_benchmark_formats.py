"""The benchmark of exported formats: its figures on fake workers, and two real ones."""

import argparse
import contextlib
import json
import shutil
import sys

import numpy as np
import pytest

from benchmarks import format_files, format_runs, formats
from benchmarks.agreement import Disagreement
from benchmarks.contenders.exported import KERAS, LITERT_INT8, SAVED_MODEL, TFJS
from benchmarks.rounds import Sample
from benchmarks.trained_models import read_trained_model
from benchmarks.worker_process import WorkerFailed
from keras_mlp import MLPMixer, export_saved_model
from tests.contract import predict, some_pixels, with_random_weights

OPTIONS = argparse.Namespace(
    python=sys.executable, rounds=2, seconds=0.001, data_dir=None, threads=1
)


def toy(num_classes=3):
    model = MLPMixer.from_variant("pico/2", image_shape=(8, 8, 1), num_classes=num_classes)
    return with_random_weights(model)


class FakeWorker(contextlib.nullcontext):
    """Returns logits, and times that depend on the name of the form."""

    missing, versions, description = [], {"numpy": "2"}, "a fake"

    def __init__(self, form, output):
        super().__init__(self)
        self.form, self.output = form, output

    def sample(self):
        return Sample(1.0 if self.form == LITERT_INT8 else 2.5, calls=1, cpu_share=1.0)


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """Keras is correct on all four images, int8 on three."""
    right = 5.0 * np.eye(4)
    right[0, 1] = 4.5
    wrong = right.copy()
    wrong[0, 0] = 4.0
    outputs = {KERAS: right.tolist(), LITERT_INT8: wrong.tolist()}

    def workers(files, images, batch, options):
        for form in files:
            yield form, FakeWorker(form, outputs[form])

    monkeypatch.setattr(format_runs, "_workers", workers)
    files = {}
    for form in outputs:
        files[form] = tmp_path / form
        files[form].write_bytes(bytes(2_000_000))
    monkeypatch.setattr(formats, "write_formats", lambda *args, **kwargs: files)
    return files


def test_accuracy_is_compared_with_keras_and_a_loss_is_warned_of(fakes):
    accuracy = format_runs.measure_accuracy(fakes, np.zeros(4), np.arange(4), OPTIONS)
    assert accuracy[KERAS] == {"accuracy": 1.0, "points": 0.0, "largest": 0.0, "same": 1.0}
    lossy = {"accuracy": 0.75, "points": -25.0, "largest": 1.0, "same": 0.75}
    assert accuracy[LITERT_INT8] == lossy
    (warning,) = formats.accuracy_warnings("toy", accuracy)
    assert warning == "LiteRT int8 of toy loses 25.00 points of accuracy, more than 0.5."
    accuracy[LITERT_INT8]["points"] = -0.5
    assert formats.accuracy_warnings("toy", accuracy) == []


def test_forms_that_disagree_are_not_timed():
    outputs = {KERAS: [[1.0, 2.0]], SAVED_MODEL: [[1.0, 2.0]], LITERT_INT8: [[1.0, 2.2]]}
    differences = format_runs._differences(outputs)
    assert differences == {KERAS: 0, SAVED_MODEL: 0, LITERT_INT8: pytest.approx(0.1)}
    for form, wrong in {SAVED_MODEL: 2.001, LITERT_INT8: 3.0, KERAS: np.nan}.items():
        with pytest.raises(Disagreement, match=f"differs from {KERAS}"):
            format_runs._differences({**outputs, form: [[1.0, wrong]]})


def test_no_weight_is_left_at_zero():
    fresh = MLPMixer.from_variant("pico/2")
    assert any(not np.any(weight) for weight in fresh.trainable_weights)
    before = {weight.path: np.array(weight) for weight in fresh.trainable_weights}
    for weight in formats.without_zeros(fresh).trainable_weights:
        assert np.any(weight)
        assert not np.any(before[weight.path]) or np.array_equal(weight, before[weight.path])


def test_trained_models_become_a_table(fakes, monkeypatch, tmp_path, capsys):
    trained = argparse.Namespace(
        name="Toy", model=None, images=np.zeros((4, 1)), labels=np.arange(4), calibration=None
    )
    monkeypatch.setattr(formats, "read_trained_model", lambda folder, data_dir: trained)
    formats.main(["--models", "folder", "--rounds", "2", "--json", str(tmp_path / "run.json")])
    text = capsys.readouterr().out
    assert "| Toy | Keras | 100.00% | +0.00 | 0.0e+00 | 2.00 | 2.5 | 1.00 |" in text
    assert "| Toy | LiteRT int8 | 75.00% | -25.00 | 1.0e+00 | 2.00 | 1 | 2.50 | 2.50-2.50 |" in text
    assert "WARNING: LiteRT int8 of Toy loses 25.00 points" in text
    run = json.loads((tmp_path / "run.json").read_text())
    assert len(run["warnings"]) == 1 and len(run["models"]["Toy"][KERAS]["samples"]) == 2


@pytest.mark.parametrize(("share", "count"), [(0.95, 0), (0.5, 1)])
def test_times_of_a_busy_machine_are_warned_of(share, count):
    contenders = {KERAS: {"samples": [Sample(1.0, 1, 1.0), Sample(1.0, 1, share)]}}
    assert len(formats.speed_warnings("toy", contenders)) == count


def test_a_variant_is_timed_and_must_be_three_times_as_fast(fakes, capsys):
    formats.main(["--variant", "pico/2", "--rounds", "2"])
    text = capsys.readouterr().out
    assert "| LiteRT int8 | a fake, 2.0 MB | 1 | 1 | 2.50 | 2.50-2.50 | 1.00 |" in text
    assert text.endswith("WARNING: LiteRT int8 is 2.50 times as fast as Keras, not 3.\n")


@pytest.mark.sweep
def test_real_files_in_real_processes_agree(tmp_path):
    model = toy()
    files = {KERAS: tmp_path / "model.keras", SAVED_MODEL: tmp_path / "saved_model"}
    model.save(files[KERAS])
    export_saved_model(model, files[SAVED_MODEL])
    pixels = some_pixels(model, batch=103)  # more than one batch, the last one smaller
    labels = predict(model, pixels).argmax(-1)
    accuracy = format_runs.measure_accuracy(files, pixels, labels, OPTIONS)
    for form in files:
        assert accuracy[form]["accuracy"] == 1.0
        assert accuracy[form]["largest"] < 1e-5
    run = format_runs.measure_speed(files, pixels[:1], OPTIONS)
    assert run["contenders"][SAVED_MODEL]["difference"] < 1e-5
    assert len(run["contenders"][KERAS]["samples"]) == 2


def test_an_interpreter_without_the_runtime_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(
        format_runs.CONTENDERS,
        LITERT_INT8,
        format_runs.CONTENDERS[LITERT_INT8].__class__("x", "", "json:loads", ("no_such_library",)),
    )
    with pytest.raises(WorkerFailed, match="has no no_such_library, which LiteRT int8 needs"):
        format_runs.measure_accuracy(
            {LITERT_INT8: tmp_path}, np.zeros((1, 8, 8, 1), "uint8"), np.zeros(1), OPTIONS
        )


def test_a_failing_conversion_says_why(tmp_path):
    file = tmp_path / "no.keras"
    with pytest.raises(WorkerFailed, match=r"(?s)The onnx file was not written.*neither a \.keras"):
        format_files.convert(file, "onnx", tmp_path / "model.onnx", sys.executable)


def test_a_trained_model_comes_with_its_test_split(tmp_path):
    (tmp_path / "tfds").mkdir()
    data = {"name": "digits", "data_dir": str(tmp_path / "tfds"), "classes": []}
    toy(10).save(tmp_path / "model.keras")
    (tmp_path / "metrics.json").write_text(json.dumps({"config": {"data": data}}))
    trained = read_trained_model(tmp_path)
    assert trained.name == "MLPMixer"
    assert trained.images.shape[1:] == (8, 8, 1) and trained.images.dtype == "uint8"
    assert len(trained.images) == len(trained.labels) > 300
    assert set(trained.labels) == set(range(10))


def test_a_folder_without_a_trained_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must hold model\.keras and the metrics\.json"):
        read_trained_model(tmp_path)


def test_damaged_metrics_of_a_trained_model_are_named(tmp_path):
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(ValueError, match=r"metrics\.json is damaged: AttributeError"):
        read_trained_model(tmp_path)


def test_only_the_first_images_are_judged(fakes, monkeypatch, capsys):
    trained = argparse.Namespace(
        name="Toy", model=None, images=np.zeros((9, 1)), labels=np.arange(9), calibration=None
    )
    monkeypatch.setattr(formats, "read_trained_model", lambda folder, data_dir: trained)
    formats.main(["--models", "folder", "--rounds", "2", "--images", "4"])
    assert "| Toy | LiteRT int8 | 75.00% |" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_node_without_the_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_PATH", str(tmp_path))
    with pytest.raises(WorkerFailed, match="node has no @tensorflow/tfjs, which"):
        format_runs.measure_accuracy(
            {TFJS: tmp_path}, np.zeros((1, 8, 8, 1), "uint8"), [0], OPTIONS
        )


def test_a_failing_converter_is_a_form_that_could_not_be_made(tmp_path):
    with pytest.raises(WorkerFailed, match=r"The TensorFlow\.js folder was not written: .*failed"):
        format_files._tfjs(toy(), tmp_path / "tfjs", shutil.which("false"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give either `--models` or `--variant`"),
        (["--models", "a", "--variant", "S/16"], "Give either `--models` or `--variant`"),
        (["--variant", "S/61"], "Did you mean 'S/16'?"),
        (["--variant", "S/16", "--architecture", "Mixer"], "Did you mean 'MLPMixer'?"),
        (["--variant", "B/16", "--architecture", "ResMLP"], "`variant` is 'B/16'"),
        (["--variant", "S/16", "--batch", "0"], "`batch` must be a positive integer"),
        (["--variant", "S/16", "--threads", "999"], "`threads` must be at most"),
        (["--variant", "S/16", "--rounds", "0"], "`rounds` must be a positive integer"),
        (["--variant", "S/16", "--seconds", "0"], "`seconds` must be a finite number above 0"),
        (["--variant", "S/16", "--python", "no/python"], "`python` must be an interpreter"),
        (["--variant", "S/16", "--images", "0"], "`images` must be a positive integer"),
        (["--variant", "S/16", "--converter", "no/such"], "`converter` must be a program"),
        (["--variant", "S/16", "--json", "no/folder/x"], "`json` must be in an existing folder"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        formats.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
