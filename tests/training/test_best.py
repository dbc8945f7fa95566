"""A loss that explodes is noticed, and the best checkpoint is kept and can be returned to."""

import json
import math
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.json_files import read_json
from tests.training.blank_pictures import blank_pictures
from training import back_to_best as program
from training import compare, report
from training.compare import comparison_table
from training.data.pipeline import Split
from training.engine.best import BestCheckpoint
from training.engine.curve import Curve
from training.engine.explosion import LossLimits
from training.engine.folder_lock import FolderLock
from training.engine.step_files import step_files
from training.engine.workdir import Workdir
from training.reports.curves import learning_curves
from training.reports.pictures import draw_run
from training.studies.results import run_record, write_results
from training.train import _health, _judged, main


def entry(step, loss, accuracy=None):
    """A point of a curve; with a validation split if there is an accuracy."""
    point = {"step": step, "epoch": step / 10, "seconds": 1.0}
    point["train"] = {"loss": loss, "accuracy": 0.5}
    return (
        point if accuracy is None else {**point, "validation": {"loss": 1.0, "accuracy": accuracy}}
    )


@pytest.fixture
def folder(tmp_path, config):
    return Workdir(tmp_path / "run", config)


def grow(folder, entries, suffixes=(".npz",), start=0, limits=None):
    """Adds points with their checkpoints, of which the last two stay."""
    curve = Curve(folder, limits or LossLimits("softmax", 10), start)
    folder.checkpoints.mkdir(exist_ok=True)
    for each in entries:
        curve.add(each)
        for suffix in suffixes:
            (folder.checkpoints / f"step-{each['step']}{suffix}").write_text(f"of {each['step']}")
        for step, files in list(step_files(folder.checkpoints).items())[:-2]:
            assert step != each["step"]
            for file in files:
                file.unlink()
        curve.saved()
    return curve


@pytest.mark.parametrize("suffixes", [(".npz",), (".index", ".data-00000-of-00001")])
def test_the_best_by_validation_is_kept(folder, suffixes):
    curve = grow(
        folder,
        [entry(s, 1.0, a) for s, a in ((10, 0.5), (20, 0.9), (30, 0.1), (40, 0.2))],
        suffixes,
    )
    kept = folder.checkpoints / "best"
    names = {f"step-20{suffix}" for suffix in suffixes}
    assert {file.name for file in kept.iterdir()} == {*names, "judged.json"}
    assert (kept / f"step-20{suffixes[0]}").read_text() == "of 20"
    assert curve.best.judged == {
        "step": 20,
        "epoch": 2.0,
        "by": "validation",
        "loss": 1.0,
        "accuracy": 0.9,
    }
    assert f"step 20, is kept in {kept}" in curve.way_out()
    assert list(step_files(folder.checkpoints)) == [30, 40]


def test_without_validation_the_loss_of_the_next_epoch_judges(folder):
    losses = [(10, 2.0), (20, 1.0), (30, 0.5), (40, 1e9), (50, 1e12)]
    curve = grow(folder, [entry(step, loss) for step, loss in losses])
    assert curve.best.judged["step"] == 20 and curve.best.judged["loss"] == 0.5
    assert curve.best.judged["by"] == "train"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_what_is_not_finite_is_never_the_best(folder, loss):
    bad = entry(10, 1.0, 0.9)
    bad["validation"]["loss"] = loss
    assert grow(folder, [bad]).best.judged is None
    assert grow(folder, [entry(20, 1.0, 0.1)], start=10).best.judged["step"] == 20


def test_a_curve_with_gaps_is_strict_json_and_is_read_again(folder):
    bad = entry(10, 1.0, 0.9)
    bad["validation"]["loss"] = math.inf
    grow(folder, [bad])
    assert (
        '"validation": {"loss": null, "accuracy": 0.9}'
        in (folder.path / "history.jsonl").read_text()
    )
    curve = Curve(folder, LossLimits("softmax", 10), 10)
    assert curve.best.judged is None
    found = curve.limits.first_exceeded(curve.history, {"loss": 1.0}, 20)
    assert found == {"split": "validation", "step": 10, "loss": None, "limit": 23.03}
    entries = [*curve.history, entry(20, 1.0, 0.5)]
    assert learning_curves(entries).startswith(b"<?xml")
    images, logits = np.zeros((2, 8, 8, 1), "uint8"), np.zeros((2, 2))
    draw_run(folder.path / "run.png", entries, images, [0, 1], logits, ["a", "b"])
    assert (folder.path / "run.png").stat().st_size > 0


def test_a_kill_before_the_best_was_kept_loses_nothing(folder):
    grow(folder, [entry(10, 1.0, 0.5), entry(20, 1.0, 0.9)])
    shutil.rmtree(folder.checkpoints / "best")
    assert Curve(folder, LossLimits("softmax", 10), 20).best.judged["step"] == 20


def test_a_damaged_judgement_is_named_with_the_way_out(folder):
    grow(folder, [entry(10, 1.0, 0.5)])
    (folder.checkpoints / "best" / "judged.json").write_text("{")
    with pytest.raises(ValueError, match=r"judged\.json is damaged: .*Move .*best away"):
        BestCheckpoint(folder.checkpoints)


@pytest.mark.parametrize(
    ("loss", "classes", "train", "evaluation"),
    [
        ("softmax", 10, 23.03, 23.03),
        ("softmax", 2, 23.03, 23.03),
        ("softmax", 1000, 69.08, 69.08),
        ("sigmoid", 1000, 6931.5, 69.08),
    ],
)
def test_limits_follow_from_the_loss_of_a_guess(loss, classes, train, evaluation):
    limits = LossLimits(loss, classes)
    assert limits.train == pytest.approx(train, rel=1e-3)
    assert limits.evaluation == pytest.approx(evaluation, rel=1e-3)
    assert limits.exceeded("train", 1, limits.train) is None
    assert limits.exceeded("train", 1, limits.train * 1.01)["split"] == "train"
    assert limits.exceeded("test", 1, math.nan)["loss"] is None


def test_a_loss_above_its_limit_is_warned_of_once(folder, caplog):
    curve = grow(folder, [entry(10, 1.0, 0.5), entry(20, 6e11, 0.1), entry(30, 7e11, 0.1)])
    (message,) = [record.getMessage() for record in caplog.records]
    assert "training loss is 6e+11 at step 20" in message and "step 10, is kept" in message
    test = {"loss": 5e11}
    assert curve.limits.first_exceeded(curve.history, test, 30)["step"] == 20
    assert curve.limits.first_exceeded([], test, 30)["split"] == "test"


@pytest.fixture(scope="module")
def exploded(data_dir, tmp_path_factory):
    """Two good epochs, then two at a learning rate of 1e5: a folder, and its command lines."""
    workdir = tmp_path_factory.mktemp("exploded") / "run"
    command = ["--config", "training/configs/digits.py", "--workdir", str(workdir)]
    values = {
        "data.data_dir": data_dir,
        "data.validation_percent": 10,
        "model.arguments.num_layers": 1,
        "model.arguments.hidden_dim": 16,
        "runtime.export": False,
        "runtime.epochs_per_checkpoint": 1,
        "runtime.steps_per_loop": 5,
    }
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    with blank_pictures():
        main([*command, "--set", "epochs=2"])
        (workdir / "metrics.json").unlink()
        rate = ["optimizer.learning_rate=1e5", "optimizer.weight_decay=0.0", "optimizer.ema=0.0"]
        rate = [word for each in rate for word in ("--set", each)]
        last = [*command, "--set", "epochs=4", *rate]
        main([*last, "--accept-changes"])
    return workdir, command, last


def test_a_run_that_diverged_says_so(exploded):
    metrics = json.loads((exploded[0] / "metrics.json").read_text())
    assert metrics["test"]["loss"] > 100 and math.isfinite(metrics["test"]["loss"])
    assert metrics["diverged"]["step"] > 40 and metrics["diverged"]["loss"] > 23.1
    assert metrics["best_checkpoint"]["step"] in (20, 40)
    page = (exploded[0] / "report.html").read_text()
    assert "the run has diverged" in page and "by the validation accuracy" in page


def test_every_file_of_a_run_that_diverged_is_strict_json(exploded):
    files = [path for path in exploded[0].rglob("*.json*") if path.suffix in (".json", ".jsonl")]
    names = {"metrics.json", "history.jsonl", "evaluation.json", "config.json", "judged.json"}
    assert names <= {path.name for path in files}
    for file in files:
        text = file.read_text()
        for part in text.splitlines() if file.suffix == ".jsonl" else [text]:
            json.loads(part, parse_constant=pytest.fail)


@pytest.mark.parametrize("spelling", ["null", "NaN"])  # the second by earlier versions
def test_every_reader_shows_a_loss_that_is_not_finite(exploded, tmp_path, spelling, capsys):
    """Such a loss ends `training.train`, but `training.finetune` stores it."""
    workdir = shutil.copytree(exploded[0], tmp_path / "run")
    file, curve = workdir / "metrics.json", workdir / "history.jsonl"
    loss = json.loads(file.read_text())["test"]["loss"]
    file.write_text(file.read_text().replace(str(loss), spelling))
    last = json.loads(curve.read_text().splitlines()[-1])["validation"]["loss"]
    curve.write_text(curve.read_text().replace(str(last), spelling))
    report.main([str(workdir)])
    page = (workdir / "report.html").read_text()
    assert "not finite" in page and "the run has diverged" in page
    report.main([str(workdir), str(exploded[0]), "--output", str(tmp_path / "both.html")])
    assert ">run, diverged<" in (tmp_path / "both.html").read_text().replace(str(workdir), "run")
    main([word if word != str(exploded[0]) else str(workdir) for word in exploded[2]])
    assert "loss not finite on" in capsys.readouterr().out
    record = run_record(read_json(file, ""))
    assert record["test"]["loss"] is None
    assert "| 1, 1 diverged |" in comparison_table([record])
    write_results(tmp_path / "results.json", "training.compare", {}, [record])
    json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    compare.main(["--from", str(tmp_path / "results.json")])
    assert "| 1, 1 diverged |" in capsys.readouterr().out


def test_a_run_goes_back_to_its_best_checkpoint(exploded, tmp_path, capsys):
    workdir = shutil.copytree(exploded[0], tmp_path / "run")
    best = json.loads((workdir / "metrics.json").read_text())["best_checkpoint"]
    program.main([str(workdir)])
    assert f"back at step {best['step']} " in capsys.readouterr().out
    assert list(step_files(workdir / "checkpoints"))[-1] == best["step"]
    aside = workdir / "set_aside_1"
    assert (aside / "metrics.json").exists() and step_files(aside / "checkpoints")
    command = [str(workdir) if word == str(exploded[0]) else word for word in exploded[1]]
    with blank_pictures():
        main([*command, "--set", f"epochs={round(best['epoch'])}", "--accept-changes"])
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert metrics["steps"] == best["step"] and metrics["diverged"] is None
    assert metrics["test"]["accuracy"] > 0.3 and metrics["test"]["loss"] < 3
    weights = keras.models.load_model(workdir / "model.keras").get_weights()
    assert all(np.isfinite(weight).all() for weight in weights)


def test_a_folder_without_a_best_checkpoint_or_in_use_is_refused(folder):
    with pytest.raises(SystemExit) as stop:
        program.main([str(folder.path)])
    assert stop.value.code.startswith("error: ") and "in use by process" in stop.value.code
    folder.__exit__()
    with pytest.raises(SystemExit, match="has no best checkpoint"):
        program.main([str(folder.path)])
    FolderLock(folder.path)


def test_a_spoiled_checkpoint_is_not_recommended(folder):
    spoiled = entry(10, 1.0, 0.1)
    spoiled["validation"]["loss"] = 6e11
    curve = grow(folder, [spoiled])
    assert curve.best.judged["step"] == 10 and curve.way_out() == ""


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_an_error(folder, value):
    images = tf.zeros((6, 1, 1, 2), tf.uint8)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, np.zeros(6, "int64"))), 6)
    splits = types.SimpleNamespace(test=split, classes=["a", "b"])
    test = _judged(lambda x, training: tf.cast(x[:, 0, 0], tf.float32) + value, splits, 2)
    curve = grow(folder, [entry(10, 1.0, 0.5)])
    with pytest.raises(FloatingPointError, match="test loss is not finite at step 20") as error:
        _health(curve, test, 20)
    assert "step 10, is kept" in str(error.value) and "back_to_best" in str(error.value)
