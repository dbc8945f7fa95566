"""Several devices equal one: clipping, accumulation, averages, BatchNorm, bfloat16.

Each run on several devices, and each worker, has a process of its own, because a failed collective
breaks later ones.
"""

import json
import os
import socket

import pytest
import tensorflow as tf

from tests.training.processes import finish, finish_with_workers, metrics, weight_difference
from training.config import Runtime
from training.engine.interruption import LostWorker
from training.engine.tensorflow.strategies import build_strategy

SGD = {"name": "sgd", "learning_rate": 0.1, "clip_norm": 0.2, "ema": 0.9}
ADAMW = {"name": "adamw", "learning_rate": 5e-3, "clip_norm": 0.2, "ema": 0.9, "accumulate": 2}
WITH_BATCH_NORM = {
    "architecture": "RepMLPNet",
    "arguments": {
        "image_shape": (8, 8, 1),
        "num_layers": (1, 1),
        "hidden_dim": (8, 16),
        "num_sharesets": (1, 4),
    },
}
BFLOAT16, FLOAT16 = {"dtype": "mixed_bfloat16"}, {"dtype": "mixed_float16"}
# The config of a run; how far its weights may be from those of one device; how many of the 360
# test images may be classified differently.
RUNS = {
    "SGD": ({"optimizer": {**SGD, "accumulate": 2}}, 1e-6, 0),
    # AdamW divides gradients that are only rounding errors by their own size.
    "AdamW": ({"optimizer": ADAMW}, 1e-4, 0),
    "BatchNorm": ({"optimizer": SGD, "model": WITH_BATCH_NORM}, 1e-5, 0),
    "sizes": ({"optimizer": SGD, "data": {"image_sizes": (8, 12)}}, 1e-5, 0),
    # Sums over different parts round to three digits, or four, in every step.
    "bfloat16": ({"optimizer": {**SGD, "accumulate": 2}, "runtime": BFLOAT16}, 1e-2, 4),
    "float16": ({"optimizer": SGD, "runtime": FLOAT16}, 1e-2, 4),
}
STRATEGIES = {
    "mirrored, 2 devices": {"strategy": "mirrored", "virtual_cpus": 2},
    "mirrored, 4 devices": {"strategy": "mirrored", "virtual_cpus": 4},
    "2 workers": {"strategy": "multi_worker_mirrored"},
}
# The plainest run on devices and on workers. The other pairs take minutes: they are a sweep.
FIRST = [("SGD", "mirrored, 2 devices"), ("SGD", "2 workers")]
SWEEP = [
    *((run, "mirrored, 2 devices") for run in RUNS if run != "SGD"),
    *((run, "mirrored, 4 devices") for run in ("SGD", "BatchNorm")),
    *((run, "2 workers") for run in ("AdamW", "BatchNorm", "bfloat16", "float16")),
]
PAIRS = [*FIRST, *(pytest.param(*pair, marks=pytest.mark.sweep) for pair in SWEEP)]


@pytest.mark.slow
@pytest.mark.parametrize(("run", "strategy"), PAIRS)
def test_equals_one_device(change, alone, tmp_path, run, strategy):
    sections, tolerance, judged_differently = RUNS[run]
    one = alone(run, change(**sections))
    runtime = {**sections.get("runtime", {}), **STRATEGIES[strategy]}
    config = change(**{**sections, "runtime": runtime})
    if strategy == "2 workers":
        several = finish_with_workers(config, tmp_path, "several", 2)
    else:
        several = finish(config, tmp_path, "several")
    difference = weight_difference(one, several)
    print(f"{run}, {strategy}: weights differ by {difference:.1e}")
    assert difference <= tolerance
    results = [metrics(folder)["test"] for folder in (one, several)]
    assert results[0]["examples"] == results[1]["examples"] == 360
    assert abs(results[0]["accuracy"] - results[1]["accuracy"]) <= judged_differently / 360 + 1e-6
    curves = [(folder / "history.jsonl").read_text().splitlines() for folder in (one, several)]
    assert len(curves[0]) == len(curves[1]) == 2
    if run == "SGD":
        for ours, theirs in zip(*(map(json.loads, curve) for curve in curves), strict=True):
            for part in ("train", "validation"):
                assert ours[part] == pytest.approx(theirs[part], rel=1e-5)


@pytest.mark.slow
def test_the_parts_of_a_batch_give_what_the_whole_gives(change, alone):
    whole = alone("whole", change(optimizer=SGD))
    parts = alone("parts", change(optimizer={**SGD, "accumulate": 4}))
    assert weight_difference(whole, parts) <= 1e-6


def test_no_cluster_is_an_error(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="needs the variable TF_CONFIG"):
        build_strategy(Runtime(strategy="multi_worker_mirrored"))


def test_no_tpu_is_an_error():
    with pytest.raises(ValueError, match=r"`runtime\.tpu`='' gives no TPU"):
        build_strategy(Runtime(strategy="tpu"))


def test_a_tpu_is_connected_by_its_name(monkeypatch):
    """As far as possible without a TPU: the resolver gets the name, the strategy the resolver."""
    asked = []

    class Resolver:
        def __init__(self, tpu):
            asked.append(tpu)

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", Resolver)
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", asked.append)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", asked.append)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: ("strategy", resolver))
    made = build_strategy(Runtime(strategy="tpu", tpu="v3-8"))
    assert asked[0] == "v3-8" and asked[1] is asked[2] is made[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON (Expecting property name"),
        ("3", "it is 3"),
        ("{}", "it lacks 'cluster'"),
        ('{"cluster": {"worker": ["a:1"]}}', "it lacks 'task'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', "it lacks 'index'"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "'worker' 1, but \"cluster\" has 1",
        ),
        (
            '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
            "'worker' must be a list",
        ),
        (
            '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
            "\"cluster\" has 'ps'",
        ),
    ],
)
def test_a_wrong_tf_config_is_one_clear_error(text, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="The environment variable TF_CONFIG is wrong") as error:
        build_strategy(Runtime(strategy="multi_worker_mirrored"))
    assert message in str(error.value) and "\n" not in str(error.value)
    assert "training.launch" in str(error.value)


def test_a_port_in_use_lets_the_cluster_start_again_on_another(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        workers = [f"127.0.0.1:{port}", "127.0.0.1:1"]
        text = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(text))
        with pytest.raises(LostWorker, match=f"Port {port} of this host is in use"):
            build_strategy(Runtime(strategy="multi_worker_mirrored"))


def test_a_tf_config_that_is_not_json_is_named_on_one_machine_too(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "worker0")
    with pytest.raises(ValueError, match="The environment variable TF_CONFIG is wrong"):
        build_strategy(Runtime(strategy="mirrored"))


def test_slurm_s_variables_without_srun_are_one_clear_error(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLURM_PROCID", "0")
    with pytest.raises(ValueError, match=r"variables that Slurm sets .*by `srun`") as error:
        build_strategy(Runtime(strategy="multi_worker_mirrored"))
    assert "\n" not in str(error.value)
