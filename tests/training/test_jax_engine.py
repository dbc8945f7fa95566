"""Training on JAX: without TensorFlow, resumed exactly, several seeds and devices, and its limits.

Runs are in processes of their own, as a process has one backend.
"""

import json
import os
import shutil
import subprocess
import sys
import types

import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.own_process import ROOT, run_in_own_process
from tests.training.event_files import curves_of
from tests.training.jax_steps import STEPS, config
from training import train as program
from training.config import Augment, Data, Runtime
from training.engine.interruption import RESUMABLE
from training.engine.jax import limits
from training.engine.jax.checkpoints import Checkpoints, newest_common
from training.engine.jax.program import State
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer

# Programs this small run no slower without XLA's optimizations, and compile in half the time.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
ON_JAX = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
BLOCK_TENSORFLOW = (
    "from tests.training.without_tensorflow import block_tensorflow; block_tensorflow(); "
)
RUN = f"{BLOCK_TENSORFLOW} import sys; from tests.training.jax_runs import main; main(sys.argv[1])"


@pytest.fixture(scope="module", autouse=True)
def compiled_programs(tmp_path_factory):
    """Runs of one config compile once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def start(*orders):
    """Trains in one process of its own, one order after the other; returns its exit code."""
    finished = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(orders)],
        cwd=ROOT,
        env={**os.environ, **ON_JAX, "XLA_FLAGS": QUICK},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode in (0, RESUMABLE), finished.stderr[-3000:]
    return finished.returncode


def order(*configs, workdirs):
    return {"configs": configs, "workdirs": list(map(str, workdirs))}


def tree(seed=0, epochs=2, **sections):
    """A config that trains in seconds, as JSON."""
    small = {"num_layers": 1, "hidden_dim": 16, "channel_mlp_dim": 32, "dropout_rate": 0.1}
    defaults = {
        "model": {"variant": "pico/2", "arguments": {"image_shape": [8, 8, 1], **small}},
        "data": {"name": "digits", "batch_size": 128},
        "augment": {"shift": 1},
        "optimizer": {"learning_rate": 5e-3, "clip_norm": 0.5, "ema": 0.9},
        "runtime": {"steps_per_loop": 4, "export": False, "seed": seed},
    }
    changed = {name: {**values, **sections.get(name, {})} for name, values in defaults.items()}
    return {"epochs": epochs, **changed}


def weights(workdir):
    """Weights by name, from the last checkpoint of a run."""
    checkpoints = Checkpoints(workdir / "checkpoints", 2)
    with np.load(workdir / "checkpoints" / f"step-{checkpoints.steps()[-1]}.npz") as file:
        return {name: file[name] for name in file.files}


def difference(one, other):
    """Largest difference between the last checkpoints of two runs."""
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    return max(
        float(np.abs(one[name].astype(np.float64) - other[name]).max())
        for name in one
        if one[name].size
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of runs: seed 0 alone, seeds 0 and 1 at once, seed 0 stopped on the way."""
    folder = tmp_path_factory.mktemp("jax")
    exit_code = start(
        order(tree(), workdirs=[folder / "alone"]),
        order(tree(0), tree(1), workdirs=[folder / "seed0", folder / "seed1"]),
        {**order(tree(), workdirs=[folder / "stopped"]), "stop_at": 12},
    )
    assert exit_code == RESUMABLE
    return folder


@pytest.fixture
def alone(runs):
    """A finished run of seed 0."""
    return runs / "alone"


def test_a_run_leaves_what_one_on_tensorflow_leaves(alone):
    names = {path.name for path in alone.iterdir()}
    assert names == {
        *("model.keras", "metrics.json", "config.json", "history.jsonl", "report.html"),
        *("evaluation.json", "confusion.png", "reliability.png", "first_batch.png"),
        *("predictions.png", "checkpoints", "tensorboard"),
    }
    metrics = json.loads((alone / "metrics.json").read_text())
    assert metrics["backend"] == "jax" and metrics["test"]["examples"] == 360
    assert metrics["images_per_second"] > 0 and metrics["compile_seconds"] > 0
    history = [json.loads(line) for line in (alone / "history.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in history] == [10, 20]
    assert set(history[0]["train"]) == {"loss", "accuracy", "learning_rate", "gradient_norm"}
    assert history[1]["validation"]["examples"] == 144
    assert history[1]["train"]["loss"] < history[0]["train"]["loss"]


def test_tensorboard_shows_the_curve(alone):
    curves = curves_of(alone / "tensorboard")
    history = [json.loads(line) for line in (alone / "history.jsonl").read_text().splitlines()]
    for part in ("train", "validation"):
        steps, losses = zip(*curves[part, "epoch_loss"], strict=True)
        assert steps == (0, 1)
        np.testing.assert_allclose(losses, [entry[part]["loss"] for entry in history], rtol=1e-6)
    loops, losses = zip(*curves["train", "batch_loss"], strict=True)
    assert loops == (4, 8, 10, 14, 18, 20)
    # The means of loops of 4, 4 and 2 steps are that of the point.
    mean = np.average(losses[:3], weights=[4, 4, 2])
    np.testing.assert_allclose(mean, history[0]["train"]["loss"], rtol=1e-5)
    assert {tag for part, tag in curves if part == "validation"} == {
        *("epoch_loss", "epoch_accuracy", "epoch_top5_accuracy")
    }


def test_the_best_checkpoint_is_kept(alone):
    metrics = json.loads((alone / "metrics.json").read_text())
    history = [json.loads(line) for line in (alone / "history.jsonl").read_text().splitlines()]
    best = max(history, key=lambda entry: entry["validation"]["accuracy"])
    judged = json.loads((alone / "checkpoints" / "best" / "judged.json").read_text())
    assert judged == metrics["best_checkpoint"] and metrics["diverged"] is None
    assert judged["step"] == best["step"] and judged["by"] == "validation"
    with np.load(alone / "checkpoints" / "best" / f"step-{best['step']}.npz") as kept:
        assert len(kept.files) > 10


def test_a_damaged_checkpoint_pushes_out_none(tmp_path):
    state = State([], [], [], [], jnp.ones(5), jnp.array(-1, jnp.int32))
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, state)
    (tmp_path / "step-9.npz").write_bytes(b"torn")
    assert newest_common([checkpoints], [state])[0] == 1
    checkpoints.save(2, state)
    assert checkpoints.steps() == [2, 9]
    assert newest_common([checkpoints], [state])[0] == 2


def test_a_stopped_run_ends_as_one_that_never_stopped(runs, alone, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "stopped", run)
    checkpoints = Checkpoints(run / "checkpoints", 2)
    assert checkpoints.steps() == [10, 14]
    # A damaged one is passed over for the one before.
    newest = checkpoints.folder / "step-14.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert start(order(tree(), workdirs=[run])) == 0
    assert difference(alone, run) == 0.0
    for name in ("test", "parameters", "steps"):
        one, other = (
            json.loads((folder / "metrics.json").read_text())[name] for folder in (alone, run)
        )
        assert one == other


def test_seeds_at_once_equal_each_alone(runs, alone):
    folders = [runs / "seed0", runs / "seed1"]
    assert difference(alone, folders[0]) < 1e-4  # sums in another order
    assert difference(*folders) > 0.01
    metrics = [json.loads((each / "metrics.json").read_text()) for each in folders]
    assert [each["config"]["runtime"]["seed"] for each in metrics] == [0, 1]
    assert metrics[0]["seeds_at_once"] == 2


@pytest.mark.sweep
def test_a_run_trains_at_several_sizes(tmp_path):
    page = tree(data={"image_sizes": [8, 4]})
    assert start(order(page, workdirs=[tmp_path / "run"])) == 0
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in history] == [10, 20]
    assert history[1]["train"]["loss"] < history[0]["train"]["loss"]


@pytest.mark.parametrize(("sizes", "groups"), [((), [2]), ((8, 4), [1, 1])])
def test_seeds_train_at_once_unless_they_draw_sizes(sizes, groups, change, tmp_path, monkeypatch):
    engine = types.SimpleNamespace(trains_seeds_at_once=True)
    module = types.SimpleNamespace(check_config=lambda _: None, engine_for=lambda _: engine)
    found = []

    def group(engine, configs, *_):
        found.append(len(configs))
        return [{}] * len(configs)

    monkeypatch.setattr(program, "engine_module", lambda: module)
    monkeypatch.setattr(program, "_train_group", group)
    configs = [change(data={"image_sizes": sizes}, runtime={"seed": seed}) for seed in (0, 1)]
    program.train_seeds(configs, [tmp_path / "0", tmp_path / "1"])
    assert found == groups


@pytest.mark.sweep
def test_several_devices_equal_one():
    run_in_own_process(
        "from tests.training.jax_devices import main; main()",
        **ON_JAX,
        XLA_FLAGS=f"{QUICK} --xla_force_host_platform_device_count=4",
    )


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The folder of what some cases of `jax_steps` leave."""
    return steps_on_jax(tmp_path_factory.mktemp("steps"), "adamw", "sgd sized")


def steps_on_jax(folder, *cases):
    run_in_own_process(
        "import sys; from tests.training.jax_steps import main; main(*sys.argv[1:])",
        folder,
        *cases,
        **ON_JAX,
        XLA_FLAGS=QUICK,
    )
    return folder


@pytest.mark.parametrize("case", ["adamw", "sgd sized"])
def test_steps_equal_those_on_tensorflow(case, steps):
    check_steps(case, steps / case)


@pytest.mark.sweep
def test_steps_of_sgd_equal_those_on_tensorflow(tmp_path):
    check_steps("sgd", steps_on_jax(tmp_path, "sgd") / "sgd")


def check_steps(case, folder):
    """TensorFlow, from the same weights and batches, ends with the same weights."""
    own = config(case)
    model = keras.models.load_model(folder / "first.keras")
    built = build_optimizer(own.optimizer, model, total_steps=STEPS, steps_per_epoch=20)
    trainer = Trainer(model, built, own)
    with np.load(folder / "batches.npz") as batches:
        columns = batches["images"], batches["labels"]
    trainer.train_dataset = tf.data.Dataset.from_tensor_slices(columns)
    trainer.train(tf.constant(STEPS))
    theirs = keras.models.load_model(folder / "last.keras")
    first = keras.models.load_model(folder / "first.keras")
    moved = 0.0
    for one, other, start in zip(
        model.get_weights(), theirs.get_weights(), first.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
        moved = max(moved, float(np.abs(one - start).max()))
    assert moved > 0.01


@pytest.mark.parametrize(
    ("check", "section", "message"),
    [
        (limits.check_data, Data(name="cifar10"), r"training\.data\.arrays cifar10"),
        (limits.check_data, Data(name="imagenet_tfrecord"), "KERAS_BACKEND=tensorflow"),
        (limits.check_data, Data(crop=0.9), r"`data\.crop` must be 0"),
        (limits.check_data, Data(service="grpc://a:1"), r"`data\.service`"),
        (limits.check_runtime, Runtime(strategy="tpu"), r"`runtime\.strategy`"),
        (limits.check_runtime, Runtime(virtual_cpus=2), "XLA_FLAGS"),
        (limits.check_runtime, Runtime(dtype="mixed_float16"), "mixed_bfloat16"),
    ],
)
def test_what_the_engine_lacks_is_an_error(check, section, message):
    with pytest.raises(ValueError, match=message):
        check(section)


def test_a_page_that_the_engine_refuses_leaves_no_folder(tmp_path):
    page = tree(data={"name": "cifar10"})
    with pytest.raises(AssertionError, match="writes a file for"):
        start(order(page, workdirs=[tmp_path / "run"]))
    assert not (tmp_path / "run").exists()


def test_tensorflow_refuses_what_is_for_jax(tmp_path, change):
    with pytest.raises(ValueError, match=r"`runtime\.profile` traces on JAX only"):
        program.train(change(runtime={"profile": True}), tmp_path / "run")
    with pytest.raises(ValueError, match="trivialaugment"):
        program.train(change(augment={"policy": "trivialaugment"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("augment", "channels", "message"),
    [
        (Augment(policy="trivialaugment"), 1, "3 channels"),
    ],
)
def test_changes_of_images_that_the_engine_lacks_are_an_error(augment, channels, message):
    with pytest.raises(ValueError, match=message):
        limits.check_augmentation(augment, channels)
