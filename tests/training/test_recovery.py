"""A run that is killed and restarted ends with the result of an uninterrupted run."""

import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.full_disk import full_disk
from tests.training.blank_pictures import blank_pictures
from tests.training.processes import command, metrics, start, weight_difference
from training.config import Runtime
from training.data.pipeline import load_splits, training_stream
from training.engine.interruption import RESUMABLE
from training.engine.optimizers import build_optimizer
from training.engine.step_files import step_files
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.engine.tensorflow.trainer import Trainer
from training.engine.workdir import Workdir
from training.launch import supervise
from training.train import build_model, train


@pytest.fixture
def random_run(change):
    """A config with all sources of randomness: order, augmentation, dropout, drop path."""
    arguments = {
        "image_shape": (8, 8, 1),
        "num_layers": 2,  # the first block drops no paths
        "hidden_dim": 16,
        "dropout_rate": 0.1,
        "drop_path_rate": 0.2,
    }
    config = change(epochs=12, model={"arguments": arguments}, optimizer={"ema": 0.9})
    return dataclasses.replace(config, runtime=Runtime(steps_per_loop=1, export=False))


def go_on(config, workdir):
    """Trains to the end in this process, in a folder that another one left; returns the folder."""
    with blank_pictures():
        train(config, workdir)
    return workdir


def new_checkpoint(process, workdir, seen):
    """Waits until a process has written a new checkpoint."""
    deadline = time.monotonic() + 600
    while not set((workdir / "checkpoints").glob("step-*.index")) - seen:
        assert process.poll() is None, "the run ended before that"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def steps_of(workdir):
    return [
        json.loads(line)["step"] for line in (workdir / "history.jsonl").read_text().splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "epochs"), [(1, 6), pytest.param(3, 12, marks=pytest.mark.sweep)]
)
def test_killed_at_random_moments_equals_never_killed(kills, epochs, random_run, alone, tmp_path):
    random_run.epochs = epochs
    whole = alone(f"{epochs} epochs", random_run)
    draw = random.Random(kills)
    for _ in range(kills):
        seen = set((tmp_path / "killed" / "checkpoints").glob("step-*.index"))
        process, killed = start(random_run, tmp_path, "killed")
        new_checkpoint(process, killed, seen)
        time.sleep(draw.uniform(0, 0.5))
        assert process.poll() is None
        process.kill()
        process.wait()
    killed = go_on(random_run, tmp_path / "killed")
    assert weight_difference(whole, killed) <= 1e-5
    assert metrics(whole)["test"] == pytest.approx(metrics(killed)["test"], abs=1e-5)
    assert steps_of(whole) == steps_of(killed) and len(steps_of(whole)) == epochs


@pytest.mark.sweep
def test_asked_to_end_it_saves_between_two_epochs_and_can_be_resumed(random_run, alone, tmp_path):
    whole = alone("12 epochs", random_run)
    process, asked = start(random_run, tmp_path, "asked")
    new_checkpoint(process, asked, set())
    process.terminate()
    assert process.wait(300) == RESUMABLE
    last = int((asked / "checkpoints" / "checkpoint").read_text().split("step-")[1].split('"')[0])
    assert last > steps_of(asked)[-1]  # steps for which the learning curve has no point yet
    asked = go_on(random_run, tmp_path / "asked")
    assert weight_difference(whole, asked) <= 1e-5
    curves = [(run / "history.jsonl").read_text().splitlines() for run in (whole, asked)]
    for one, other in zip(*(map(json.loads, curve) for curve in curves), strict=True):
        assert one["train"] == pytest.approx(other["train"], rel=1e-4)


@pytest.mark.sweep
def test_the_cluster_starts_again_when_a_worker_is_killed(change, alone, tmp_path, capfd):
    config = change(epochs=8, optimizer={"name": "sgd", "learning_rate": 0.1, "ema": 0.9})
    whole = alone("sgd", config)
    runtime = Runtime(strategy="multi_worker_mirrored", steps_per_loop=5, export=False)
    line, workdir = command(dataclasses.replace(config, runtime=runtime), tmp_path, "several")
    killer = threading.Thread(target=kill_one_worker, args=(line, workdir))
    killer.start()
    assert supervise([line] * 2, restarts=1) == 0
    killer.join()
    assert "A worker died; starting all of them, attempt 2" in capfd.readouterr().err
    assert weight_difference(whole, workdir) <= 1e-5
    assert steps_of(whole) == steps_of(workdir)


def kill_one_worker(line, workdir):
    """Kills one of the processes with this command line once there is a checkpoint."""
    deadline = time.monotonic() + 600
    while not list(workdir.glob("checkpoints/step-*.index")) and time.monotonic() < deadline:
        time.sleep(0.02)
    for status in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        if status.read_text().split("\0")[:-1] == line:
            os.kill(int(status.parent.name), signal.SIGKILL)
            return


@pytest.mark.sweep
def test_a_full_disk_keeps_the_checkpoint_before(change, alone, tmp_path):
    config = change(epochs=3)
    line, workdir = command(config, tmp_path, "full")
    code = (
        "import pathlib, resource, signal, sys, threading, time\n"
        "def limit():\n"
        "    while not pathlib.Path(sys.argv[2], 'checkpoints/checkpoint').exists():\n"
        "        time.sleep(0.001)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "threading.Thread(target=limit, daemon=True).start()\n"
        "from tests.training.run_train import main\n"
        "main(*sys.argv[1:])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, *line[3:]], capture_output=True, text=True)
    assert ended.returncode != 0
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("OSError: The checkpoint of step") and "The last whole one is" in last
    kept = steps_of(workdir)[0]
    assert f"step-{kept}" in last
    assert weight_difference(alone("full", config), go_on(config, workdir)) <= 1e-5


@pytest.fixture
def manager(config, tmp_path):
    model = build_model(config.model, 10, "float32")
    optimizer = build_optimizer(config.optimizer, model, total_steps=10, steps_per_epoch=5)
    manager = CheckpointManager(model, optimizer, tmp_path / "checkpoints", keep=2)
    for step, value in ((1, 0.25), (2, 0.5)):
        model.weights[0].assign(keras.ops.full(model.weights[0].shape, value))
        manager.save(checkpoint_number=step)
    manager.weight = model.weights[0]
    return manager


def test_an_index_that_is_cut_off_does_not_stay(manager, tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    before = sorted(folder.iterdir())

    def cut_off(self, checkpoint_number, **kwargs):
        (folder / f"step-{checkpoint_number}.data-00000-of-00001").write_bytes(b"whole")
        (folder / f"step-{checkpoint_number}.index").write_bytes(b"ha")
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.train.CheckpointManager, "save", cut_off)
    with pytest.raises(OSError, match="No space left"):
        manager.save(checkpoint_number=3)
    assert sorted(folder.iterdir()) == before


def test_what_a_killed_or_failed_save_leaves_is_removed(manager, tmp_path):
    folder = tmp_path / "checkpoints"
    (folder / "step-3_temp").mkdir()
    (folder / "step-3_temp" / "part-00000-of-00001.data").write_bytes(b"half")
    with full_disk(), pytest.raises(tf.errors.OpError):
        manager.save(checkpoint_number=3)
    assert not list(folder.glob("*_temp"))
    manager.save(checkpoint_number=3)
    assert {file.name.split(".")[0] for file in folder.iterdir()} == {
        "checkpoint",
        "step-2",
        "step-3",
    }


def test_the_newest_checkpoint_is_restored(manager):
    manager.weight.assign(manager.weight * 0)
    assert manager.restore_or_initialize().endswith("step-2")
    assert np.asarray(manager.weight).max() == 0.5


@pytest.mark.parametrize("damage", ["cut data", "cut index", "flip a byte", "no data", "no index"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    manager, tmp_path, caplog, damage
):
    data = tmp_path / "checkpoints" / "step-2.data-00000-of-00001"
    index = tmp_path / "checkpoints" / "step-2.index"
    if damage == "cut data":
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    elif damage == "cut index":
        index.write_bytes(index.read_bytes()[:20])
    elif damage == "flip a byte":
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    else:
        (data if damage == "no data" else index).unlink()
    assert manager.restore_or_initialize().endswith("step-1")
    assert np.asarray(manager.weight).max() == 0.25
    (message,) = [record.getMessage() for record in caplog.records]
    assert "step-2 cannot be read" in message and "\n" not in message


@pytest.mark.parametrize("text", [None, "", "model_checkpo", 'model_checkpoint_path: "step-1"'])
def test_checkpoints_are_found_without_the_list_of_them(manager, tmp_path, text):
    folder = tmp_path / "checkpoints"
    (folder / "checkpoint").unlink()
    if text is not None:
        (folder / "checkpoint").write_text(text)
    (folder / "step-9_temp").mkdir()
    again = CheckpointManager(
        manager.checkpoint.model, manager.checkpoint.optimizer, folder, keep=2
    )
    assert not (folder / "step-9_temp").exists()
    manager.weight.assign(manager.weight * 0)
    assert again.restore_or_initialize().endswith("step-2")
    assert np.asarray(manager.weight).max() == 0.5
    again.save(checkpoint_number=3)
    assert list(step_files(folder)) == [2, 3]
    assert tf.train.latest_checkpoint(folder) == str(folder / "step-3")


def test_only_damaged_checkpoints_are_an_error(manager, tmp_path):
    for data in (tmp_path / "checkpoints").glob("*.data-*"):
        data.write_bytes(b"")
    with pytest.raises(ValueError, match="None of the 2 checkpoints") as error:
        manager.restore_or_initialize()
    assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_names_the_step_and_stores_its_batch(change, tmp_path):
    config = change(
        optimizer={"name": "sgd", "learning_rate": 1e30, "clip_norm": 0.0, "warmup_epochs": 0.0}
    )
    with pytest.raises(FloatingPointError, match=r"no longer finite at step \d+\.") as error:
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not list((tmp_path / "run" / "checkpoints").glob("step-*"))  # none with NaN in it
    with np.load(tmp_path / "run" / "not_finite.npz") as batch:
        assert str(tmp_path / "run" / "not_finite.npz") in str(error.value)
        stream = training_stream(
            load_splits(config.data, (8, 8, 1)).train,
            batch_size=64,
            seed=config.runtime.seed,
            start_step=error.value.step,
            augment=config.augment,
        )
        images, labels = next(iter(stream.take(1).as_numpy_iterator()))
        np.testing.assert_array_equal(batch["images"], images)
        np.testing.assert_array_equal(batch["labels"], labels)


def test_a_folder_that_disappears_is_one_clear_error(config, tmp_path):
    folder = Workdir(tmp_path / "run", config)
    shutil.rmtree(folder.path)
    with pytest.raises(OSError, match=r"`--workdir` .* is gone or cannot be written") as error:
        folder.append_history({"step": 1})
    assert "\n" not in str(error.value)


def test_float16_leaves_out_a_step_that_overflows(change):
    config = change(runtime={"dtype": "mixed_float16"}, optimizer={"warmup_epochs": 0.0})
    model = build_model(config.model, 10, "mixed_float16")
    optimizer = build_optimizer(
        config.optimizer, model, total_steps=10, steps_per_epoch=5, dtype="mixed_float16"
    )
    trainer = Trainer(model, optimizer, config)
    head = model.get_layer("head").kernel
    head.assign(keras.random.normal(head.shape, seed=0))  # zeros would block the gradient
    images = tf.zeros((64, 8, 8, 1), tf.uint8)
    batch = images, tf.range(64, dtype=tf.int64) % 10
    trainer.train_dataset = tf.data.Dataset.from_tensors(batch).repeat()
    optimizer.dynamic_scale.assign(1e30)
    before = model.get_weights()
    means = trainer.train(tf.constant(1))
    assert int(trainer.step.numpy()) == 1 and int(optimizer.iterations.numpy()) == 0
    assert np.isfinite(means["loss"]) and "gradient_norm" not in means
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert float(optimizer.dynamic_scale) == pytest.approx(5e29)
    optimizer.dynamic_scale.assign(2.0**10)
    assert trainer.train(tf.constant(1))["gradient_norm"] > 0
    assert int(optimizer.iterations.numpy()) == 1
