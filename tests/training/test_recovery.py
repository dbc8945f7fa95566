"""A run that is killed and started again ends where it would have ended."""

import json
import random
import time

import keras
import numpy as np
import pytest

from tests.training.processes import finish, metrics, start, weight_difference
from training.checkpoints import CheckpointManager
from training.optimizers import build_optimizer
from training.train import build_model, train


@pytest.mark.slow
def test_killed_at_random_moments_equals_never_killed(change, tmp_path):
    # Everything random is on: order, augmentation, dropout, drop path.
    arguments = {
        "image_shape": (8, 8, 1),
        "num_layers": 2,
        "hidden_dim": 16,
        "dropout_rate": 0.1,
        "drop_path_rate": 0.2,
    }
    config = change(epochs=12, model={"arguments": arguments})
    whole = finish(config, tmp_path, "whole")
    draw = random.Random(0)
    for kill in range(3):
        process, killed = start(config, tmp_path, "killed")
        checkpoints, seen = killed / "checkpoints", set()
        seen.update(checkpoints.glob("step-*.index"))
        deadline = time.monotonic() + 120
        while not set(checkpoints.glob("step-*.index")) - seen and time.monotonic() < deadline:
            time.sleep(0.02)  # until this process has got further than the last
        time.sleep(draw.uniform(0, 0.5))
        assert process.poll() is None, f"the run ended before kill {kill}"
        process.kill()
        process.wait()
    killed = finish(config, tmp_path, "killed")
    assert weight_difference(whole, killed) <= 1e-5
    assert metrics(whole)["test"] == pytest.approx(metrics(killed)["test"], abs=1e-5)
    steps = [
        [json.loads(line)["step"] for line in (run / "history.jsonl").read_text().splitlines()]
        for run in (whole, killed)
    ]
    assert steps[0] == steps[1] and len(steps[0]) == 12


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


def test_the_newest_checkpoint_is_restored(manager):
    manager.weight.assign(manager.weight * 0)
    assert manager.restore_or_initialize().endswith("step-2")
    assert np.asarray(manager.weight).max() == 0.5


@pytest.mark.parametrize("damage", ["cut data", "cut index", "flip a byte", "no data"])
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
        data.unlink()
    assert manager.restore_or_initialize().endswith("step-1")
    assert np.asarray(manager.weight).max() == 0.25
    (message,) = [record.getMessage() for record in caplog.records]
    assert "step-2 cannot be read" in message and "\n" not in message


def test_only_damaged_checkpoints_are_an_error(manager, tmp_path):
    for data in (tmp_path / "checkpoints").glob("*.data-*"):
        data.write_bytes(b"")
    with pytest.raises(ValueError, match="None of the 2 checkpoints") as error:
        manager.restore_or_initialize()
    assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_stops_the_run(change, tmp_path):
    config = change(optimizer={"name": "sgd", "learning_rate": 1e30, "clip_norm": 0.0})
    with pytest.raises(FloatingPointError, match="no longer finite"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
