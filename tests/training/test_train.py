"""One short run from the command line, and its outputs."""

import importlib
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import saved_model_info
from tests.training import processes
from tests.training.blank_pictures import blank_pictures
from tests.training.event_files import curves_of
from training import train as program
from training.config import FineTuneConfig, Transfer
from training.engine.folder_lock import FolderLock
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer
from training.evaluate import check_golden, evaluate_source
from training.finetune import finetune
from training.models.starting_points import TrainedModel
from training.train import build_model, train


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """A finished run of the embedded page, shortened and reduced."""
    workdir = tmp_path_factory.mktemp("runs") / "digits"
    overrides = {
        "epochs": 4,
        "data.data_dir": data_dir,
        "data.validation_percent": 10,
        "model.arguments.num_layers": 1,
        "model.arguments.dropout_rate": 0.0,
        "runtime.epochs_per_checkpoint": 2,
    }
    arguments = ["--config", "training/configs/digits.py", "--workdir", str(workdir)]
    for key, value in overrides.items():
        arguments += ["--set", f"{key}={value}"]
    with blank_pictures():
        program.main(arguments)
    return workdir, arguments


def test_metrics_say_what_the_number_is_worth(run):
    metrics = json.loads((run[0] / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.5 and metrics["test"]["examples"] == 360
    assert metrics["config"]["epochs"] == 4
    assert metrics["hardware"]["cores"] >= 1 and metrics["hardware"]["cpu"]
    assert metrics["versions"]["keras"] == keras.__version__
    assert metrics["steps"] == round(4 * 1293 / 64)
    assert {"date", "command", "commit", "wall_seconds"} <= metrics.keys()


def test_the_learning_curve_is_written(run):
    history = [json.loads(line) for line in (run[0] / "history.jsonl").read_text().splitlines()]
    assert [round(entry["epoch"]) for entry in history] == [2, 4]
    assert history[1]["train"]["loss"] < history[0]["train"]["loss"]
    assert history[1]["validation"]["examples"] == 144
    assert list((run[0] / "tensorboard").rglob("events*"))


def test_training_and_validation_share_charts_in_tensorboard(run):
    points = curves_of(run[0] / "tensorboard")
    curves = {key: [step for step, _ in curve] for key, curve in points.items()}
    shared = {"epoch_loss", "epoch_accuracy"}  # as keras.callbacks.TensorBoard calls them
    own = {"epoch_learning_rate", "epoch_gradient_norm", "batch_loss"}
    assert {("train", tag) for tag in shared | own} <= curves.keys()
    assert {tag for part, tag in curves if part == "validation"} == shared | {"epoch_top5_accuracy"}
    assert curves["train", "epoch_loss"] == curves["validation", "epoch_loss"] == [1, 3]
    assert curves["train", "batch_loss"][-1] == round(4 * 1293 / 64)


def test_a_finished_run_is_not_trained_again(run, capsys):
    before = (run[0] / "metrics.json").read_text()
    program.main(run[1])
    assert "finished" in capsys.readouterr().out
    assert (run[0] / "metrics.json").read_text() == before


def test_a_finished_run_of_another_config_is_refused_whatever_is_accepted(run):
    before = (run[0] / "config.json").read_text()
    with pytest.raises(SystemExit, match=r"epochs: 4 there, 5 here.*That run is finished") as stop:
        program.main([*run[1], "--set", "epochs=5", "--accept-changes"])
    assert "`--accept-changes`" not in str(stop.value)
    assert (run[0] / "config.json").read_text() == before


@pytest.mark.parametrize("name", ["train", "compare", "finetune"])
def test_a_folder_in_use_ends_a_program_with_one_line(name, run, data_dir, tmp_path):
    page = {"train": "digits", "compare": "compare_digits", "finetune": "digits_transfer"}[name]
    arguments = ["--config", f"training/configs/{page}.py", "--workdir", str(tmp_path)]
    arguments += ["--set", f"data.data_dir={data_dir}"]
    if name == "finetune":
        arguments += ["--source", str(run[0] / "features")]
    lock = FolderLock(tmp_path)
    try:
        with pytest.raises(SystemExit, match=r"^error: .* is in use by process \d+ on ") as stop:
            importlib.import_module(f"training.{name}").main(arguments)
    finally:
        lock.release()
    assert "\n" not in str(stop.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "[]", '{"test": {"accuracy": 0.5}}', '{"test": "good"}'])
def test_damaged_metrics_are_named_with_a_way_out(text, run, tmp_path):
    workdir = shutil.copytree(run[0], tmp_path / "run")
    arguments = [str(workdir) if each == str(run[0]) else each for each in run[1]]
    (workdir / "metrics.json").write_text(text)
    with pytest.raises(
        SystemExit, match=r"^error: .*metrics\.json is damaged: .*Remove it"
    ) as stop:
        program.main(arguments)
    assert "\n" not in str(stop.value)


@pytest.fixture
def plain(alone, change):
    """The folder of a finished run without SavedModels, trained once. Tests must not change it."""
    return alone("plain", change(epochs=3))


@pytest.mark.parametrize("lost", [("metrics.json",), ("metrics.json", "history.jsonl")])
def test_a_finished_run_goes_on_without(lost, plain, change, blank, tmp_path):
    workdir = shutil.copytree(plain, tmp_path / "run")
    before = processes.metrics(workdir)
    curve = (workdir / "history.jsonl").read_text()
    for name in lost:
        (workdir / name).unlink()
    after = train(change(epochs=3), workdir)
    assert after["test"] == before["test"] and after["steps"] == before["steps"]
    assert (workdir / "history.jsonl").read_text() == ("" if "history.jsonl" in lost else curve)


def test_keras_file_and_saved_model_agree_with_the_metrics(run, config):
    metrics = json.loads((run[0] / "metrics.json").read_text())
    for source in ("model.keras", "saved_model"):
        result = evaluate_source(run[0] / source, config)
        assert result["accuracy"] == metrics["test"]["accuracy"]
        assert result["loss"] == pytest.approx(metrics["test"]["loss"], abs=1e-5)
    assert result["golden_difference"] <= 1e-6


def test_the_names_of_the_classes_are_in_every_file(run):
    names = json.loads((run[0] / "metrics.json").read_text())["classes"]
    assert names == [str(digit) for digit in range(10)]
    assert saved_model_info(run[0] / "saved_model")["class_names"] == names
    assert keras.models.load_model(run[0] / "model.keras").class_names == tuple(names)


def test_golden_outputs_that_are_not_met_are_an_error(run):
    with pytest.raises(ValueError, match="differ from those"):
        check_golden(lambda images, training: np.zeros((16, 10)), run[0] / "saved_model")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["features", "model.keras"])
def test_fine_tuning_compares_three_ways(run, source, config, blank, tmp_path):
    fine = FineTuneConfig(
        epochs=3, repeats=1, data=config.data, optimizer=config.optimizer, runtime=config.runtime
    )
    metrics = finetune(fine, run[0] / source, tmp_path / "fine")
    assert set(metrics["accuracy"]) == {"frozen", "fine-tuned", "from scratch"}
    assert all(len(values) == 1 for values in metrics["accuracy"].values())
    assert np.mean(metrics["accuracy"]["fine-tuned"]) > 0.5
    assert saved_model_info(tmp_path / "fine" / "saved_model")["image_shape"] == [8, 8, 1]
    loaded = tf.saved_model.load(str(tmp_path / "fine" / "saved_model"))
    assert loaded(np.zeros((3, 8, 8, 1), "uint8")).shape == (3, 10)


@pytest.mark.parametrize("strategy_error", [True, False])
def test_fine_tuning_refuses_what_it_cannot_do(run, strategy_error, change, tmp_path):
    changed = change(runtime={"strategy": "mirrored"} if strategy_error else {})
    fine = FineTuneConfig(data=changed.data, runtime=changed.runtime)
    source = run[0] / "features" if strategy_error else tmp_path / "absent"
    with pytest.raises(ValueError, match="one_device" if strategy_error else "neither"):
        finetune(fine, source, tmp_path / "fine")


@pytest.fixture
def only_fine_tuned(monkeypatch):
    """Leaves out the other two ways, which the depth of fine-tuning does not change."""
    monkeypatch.setattr(TrainedModel, "ways", ("fine-tuned",))


@pytest.mark.slow
def test_fine_tuning_by_depth(run, config, only_fine_tuned, blank, tmp_path):
    fine = FineTuneConfig(
        epochs=1,
        repeats=1,
        transfer=Transfer(freeze_through="block_0", layer_decay=0.5),
        data=config.data,
        optimizer=config.optimizer,
        runtime=config.runtime,
    )
    finetune(fine, run[0] / "model.keras", tmp_path / "fine")
    source = keras.models.load_model(run[0] / "model.keras")
    tuned = keras.models.load_model(tmp_path / "fine" / "model.keras")
    for weight, old in zip(tuned.weights, source.weights, strict=True):
        layer = weight.path.split("/")[0]
        assert np.array_equal(weight, old) == (layer in ("stem", "block_0")), weight.path


@pytest.mark.slow
def test_fine_tuning_by_low_rank_factors(run, config, only_fine_tuned, blank, tmp_path):
    fine = FineTuneConfig(
        epochs=1,
        repeats=1,
        transfer=Transfer(lora_rank=2),
        data=config.data,
        optimizer=config.optimizer,
        runtime=config.runtime,
    )
    finetune(fine, run[0] / "model.keras", tmp_path / "fine")
    source = keras.models.load_model(run[0] / "model.keras")
    tuned = keras.models.load_model(tmp_path / "fine" / "model.keras")
    assert [weight.path for weight in tuned.weights] == [weight.path for weight in source.weights]
    for weight, old in zip(tuned.weights, source.weights, strict=True):
        if weight.path == "block_0/channel_mlp/fc1/kernel":
            assert np.linalg.matrix_rank(np.array(weight) - np.array(old), tol=1e-5) == 2
        elif not weight.path.startswith("head/") and not weight.path.endswith("kernel"):
            np.testing.assert_array_equal(weight, old, err_msg=weight.path)


@pytest.mark.parametrize(
    ("source", "transfer", "message"),
    [
        ("features", {"layer_decay": 0.5}, "`transfer` needs a .keras file"),
        ("model.keras", {"freeze_through": "block_0", "lora_rank": 2}, "must be None"),
        ("model.keras", {"freeze_through": "head"}, "'head' freezes everything"),
        ("model.keras", {"lora_rank": 1000}, "`transfer.lora_rank`=1000 does not fit: `rank`"),
        ("model.keras", {"freeze_through": "block_9"}, "`transfer.freeze_through` is 'block_9'"),
    ],
)
def test_a_depth_that_is_not_there_is_refused(run, config, source, transfer, message, tmp_path):
    fine = FineTuneConfig(transfer=Transfer(**transfer), data=config.data)
    with pytest.raises(ValueError, match=message):
        finetune(fine, run[0] / source, tmp_path / "fine")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batchsize=3", "Did you mean 'data.batch_size'"),
        ("model.variant=pico/3", "Did you mean 'pico/"),
        ("model.architecture=MLPMixr", "Did you mean 'MLPMixer'"),
        ("model.arguments.foo=1", "MLPMixer has no argument 'foo'. Allowed: "),
        ("model.arguments.drop_path_rte=1", "Did you mean 'drop_path_rate'"),
        ("model.arguments.verbose=False", "MLPMixer has no argument 'verbose'"),
        ("model.arguments.drop_path_rate=-1", "`drop_path_rate` must be"),
        ("data.name=fashion_mnist", "is not prepared"),
    ],
)
def test_the_program_ends_with_one_clear_line(override, message, data_dir, tmp_path):
    arguments = ["--config", "training/configs/digits.py", "--workdir", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        program.main([*arguments, "--set", f"data.data_dir={data_dir}", "--set", override])
    assert message in str(stop.value) and "\n" not in str(stop.value)
    assert str(stop.value).startswith("error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "runtime", [{"dtype": "mixed_bfloat16"}, {"jit_compile": True}], ids=["bfloat16", "xla"]
)
def test_other_ways_to_compute_learn_the_same(change, runtime, plain, blank, tmp_path):
    other = train(change(epochs=3, runtime=runtime), tmp_path / "other")
    tolerance = 0.05 if "dtype" in runtime else 0.01
    expected = processes.metrics(plain)["test"]["accuracy"]
    assert other["test"]["accuracy"] == pytest.approx(expected, abs=tolerance)


def test_clipping_bounds_the_global_norm(config):
    config.optimizer.name, config.optimizer.momentum = "sgd", 0.0
    config.optimizer.weight_decay, config.optimizer.warmup_epochs = 0.0, 0.0
    config.optimizer.learning_rate, config.optimizer.clip_norm = 1.0, 1e-3
    model = build_model(config.model, 10, "float32")
    optimizer = build_optimizer(config.optimizer, model, total_steps=10, steps_per_epoch=5)
    before = [np.array(weight) for weight in model.trainable_variables]
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype("uint8")
    batch = tf.data.Dataset.from_tensors((images, np.arange(64) % 10))
    trainer = Trainer(model, optimizer, config)
    trainer.train_dataset = batch
    outputs = trainer.train(tf.constant(1))
    moved = [np.array(w) - b for w, b in zip(model.trainable_variables, before, strict=True)]
    norm = np.sqrt(sum((change.astype("float64") ** 2).sum() for change in moved))
    assert outputs["gradient_norm"] > 1e-2
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_only_kernels_decay(config):
    config.optimizer.weight_decay, config.optimizer.warmup_epochs = 0.5, 0.0
    model = build_model(config.model, 10, "float32")
    for weight in model.trainable_variables:
        weight.assign(weight * 0 + 1)
    optimizer = build_optimizer(config.optimizer, model, total_steps=10, steps_per_epoch=5)
    optimizer.apply([tf.zeros(w.shape) for w in model.trainable_variables])
    for weight in model.trainable_variables:
        expected = 1 - 0.5 * 5e-3 if weight.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(np.asarray(weight), expected, rtol=1e-6, err_msg=weight.path)
