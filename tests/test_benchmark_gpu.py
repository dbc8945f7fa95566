"""The programs that train on one GPU within minutes, at toy size on the CPU."""

import json
import time

import keras
import numpy as np
import pytest

from benchmarks.packed_images import pack_file, unpack_files
from benchmarks.training_gpu import Pair, measure
from tests.own_process import run_in_own_process
from tests.training.test_jax_engine import ON_JAX, QUICK
from training.data.arrays import write_arrays

SMALL = (
    *("--set", "data.batch_size=8", "--set", "epochs=2", "--set", "augment.policy=None"),
    *("--set", "runtime.dtype=float32"),
)
RUN = """
import sys
from tests.training.without_tensorflow import block_tensorflow
block_tensorflow()
from benchmarks.{program} import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Sixteen training and eight test images of the shape of CIFAR-10's."""
    rng = np.random.default_rng(0)
    columns = {
        name: (rng.integers(0, 256, (count, 32, 32, 3), np.uint8), np.arange(count) % 10)
        for name, count in (("train", 16), ("test", 8))
    }
    path = tmp_path_factory.mktemp("arrays") / "some.npz"
    write_arrays(path, columns, [str(number) for number in range(10)])
    return path


def run(program, *arguments):
    run_in_own_process(RUN.format(program=program), *arguments, *SMALL, **ON_JAX, XLA_FLAGS=QUICK)


def check_accuracy(file, model, expected):
    """The stored model is the one that was judged: it has that accuracy on the test split."""
    images, labels = (np.load(file)[f"test_{name}"] for name in ("images", "labels"))
    logits = keras.models.load_model(model, compile=False).predict(images, verbose=0)
    assert np.mean(np.argmax(logits, axis=-1) == labels) == pytest.approx(expected)


def test_packed_images_come_back(file, tmp_path):
    pack_file(file, tmp_path, parts=3)
    unpack_files(list(tmp_path.glob("part*.npz")), tmp_path / "back.npz")
    with np.load(file) as one, np.load(tmp_path / "back.npz") as other:
        assert set(one.files) == set(other.files)
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.sweep
def test_the_flagship_trains_judges_and_saves(file, tmp_path):
    architecture = "{'num_layers': (1,), 'hidden_dim': (16,), 'num_sharesets': (2,)}"
    arguments = ("--set", f"model.arguments={architecture}")
    run("cifar10_flagship", "--data", file, "--output", tmp_path, "--minutes", 5, *arguments)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["finished"] and result["epochs"] == 2 and result["test"]["examples"] == 8
    assert [point["epoch"] for point in result["curve"]] == [1, 2]
    assert result["curve"][-1]["train"][0]["learning_rate"] == pytest.approx(0.0, abs=1e-9)
    assert (tmp_path / "model.keras").exists()


@pytest.mark.sweep
def test_a_run_whose_time_gets_short_ends_at_the_end_of_its_schedule():
    code = "from tests.run_paced import main; main()"
    run_in_own_process(code, **ON_JAX, XLA_FLAGS=QUICK)


@pytest.mark.sweep
def test_the_families_train_side_by_side(file, tmp_path):
    chosen = ("--set", "architectures=('MLPMixer', 'ResMLP')", "--set", "model.variant=pico/4")
    small = ("--set", "model.arguments={'image_shape': (32, 32, 3), 'num_layers': 1}")
    options = ("--minutes", 5, "--seeds", 0, 1, *chosen, *small)
    run("cifar10_families", "--data", file, "--output", tmp_path, *options)
    results = json.loads((tmp_path / "result.json").read_text())["architectures"]
    assert set(results) == {"MLPMixer", "ResMLP"}
    for result in results.values():
        assert result["finished"] and result["seeds"] == 2 and len(result["test"]) == 2
    for name in results:
        check_accuracy(file, tmp_path / f"{name}.keras", results[name]["test"][0]["accuracy"])


@pytest.mark.sweep
def test_speed_is_measured_without_timm(tmp_path, monkeypatch):
    for name, value in ON_JAX.items():
        monkeypatch.setenv(name, value)
    pairs = [Pair("tiny", "MLPMixer", "pico/2", "none")]
    deadline = time.monotonic() + 120
    results = measure(pairs, [2], tmp_path, deadline, timm_python="false", rounds=1)
    (rows,) = (result["rows"] for result in results.values())
    assert [row["mode"] for row in rows] == ["train", "infer"]
    for row in rows:
        assert row["ours"]["images_per_second"] > 0 and "timm" not in row
        assert 0 < row["ours"]["share_of_peak"] < 1
