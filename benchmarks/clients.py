"""The accuracy of fine-tuning a SavedModel in every client: python -m benchmarks.clients --help.

On the same few digits, with the same steps and optimizer, it trains a linear classifier on the
SavedModel (frozen), both together (fine-tuned), and both with random weights (from scratch).
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

import keras_mlp
from benchmarks.client_fits import CLIENTS, gradient_tape
from benchmarks.client_lesson import Digits, Lesson
from benchmarks.report import check_folder_of, machine_facts
from benchmarks.worker_process import WorkerFailed
from keras_mlp.arguments import check_positive_int
from keras_mlp.json_files import write_json
from keras_mlp.typing import Array

FROZEN, FINE_TUNED, FROM_SCRATCH = WAYS = ("frozen", "fine-tuned", "from scratch")
HUB = "hub.KerasLayer in tf_keras, fit"
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
_CHECKOUT = pathlib.Path(__file__).parents[1]
# (way, folder of the SavedModel, whether it is trained, lesson, learning rate)
_Fit: TypeAlias = tuple[str, pathlib.Path, bool, Lesson, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
        source = feature_vector(options.source)
        digits = Digits(keras_mlp.saved_model_info(source)["image_shape"], options.data_dir)
    except ValueError as error:
        parser.error(str(error))
    command = shlex.join(["python", "-m", "benchmarks.clients", *arguments])
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            run = measure(source, digits, pathlib.Path(scratch), options)
        except WorkerFailed as error:
            sys.exit(f"error: {error}")
    run["facts"] = {**machine_facts(), "command": command, **versions, **run["facts"]}
    print(markdown(run))
    for warning in warnings(run["accuracy"]):
        print(f"WARNING: {warning}")
    if options.json:
        write_json(options.json, run)


def measure(
    source: pathlib.Path, digits: Digits, scratch: pathlib.Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Tunes the learning rate of each way, then trains with every client, way and seed.

    Args:
        source: folder of a SavedModel of features.
        digits: a `Digits` of its image size.
        scratch: an empty folder.
        options: the command-line options.

    Returns:
        A dict: "facts"; "rates", from way to the chosen learning rate; "accuracy", from client to a
        dict from way to the test accuracies, one per seed.

    Raises:
        WorkerFailed: the process of hub.KerasLayer ended early.
    """
    budget = {key: getattr(options, key) for key in ("per_class", "steps", "batch")}
    folders = {
        seed: untrained(source, scratch / f"seed{seed}", seed) for seed in range(options.seeds)
    }
    lesson = digits.lesson(0, "tuning", **budget)
    rates = {way: tuned_rate(*start(way, source, folders[0]), lesson) for way in WAYS}
    fits = [
        (way, *start(way, source, folder), digits.lesson(seed, "test", **budget), rates[way])
        for seed, folder in folders.items()
        for way in WAYS
    ]
    accuracy = {}
    for client, train in CLIENTS.items():
        outputs = [
            train(folder, trainable, lesson, rate) for _, folder, trainable, lesson, rate in fits
        ]
        accuracy[client] = _by_way(fits, outputs)
        print(f"{client} done", file=sys.stderr, flush=True)
    facts = {**budget, "test images": len(fits[0][3].test_labels), "source": _described(source)}
    if options.hub_python:
        logits, versions = _hub_fits(fits, scratch, options.hub_python)
        accuracy[HUB] = _by_way(fits, logits)
        facts |= versions
    return {"facts": facts, "rates": rates, "accuracy": accuracy}


def feature_vector(path: str | pathlib.Path) -> pathlib.Path:
    """The SavedModel of features at a path, or in an artefact there; otherwise ValueError."""
    path = pathlib.Path(path)
    inner = path / "feature_vector"
    path = inner if inner.is_dir() else path
    info = keras_mlp.saved_model_info(path)
    if info["output"] != "features" or info["config"] is None:
        raise ValueError(f"`source` {path} must be a SavedModel of a VisionModel's features.")
    return path


def untrained(source: pathlib.Path, path: pathlib.Path, seed: int) -> pathlib.Path:
    """Writes the architecture of a SavedModel with new random weights; returns the folder."""
    info = keras_mlp.saved_model_info(source)
    keras.utils.set_random_seed(seed)
    architecture: type[keras_mlp.VisionModel] = keras_mlp.ARCHITECTURES[info["class_name"]]
    model = architecture.from_config(info["config"])
    return keras_mlp.export_saved_model(model, path, output="features")


def start(way: str, trained: pathlib.Path, random: pathlib.Path) -> tuple[pathlib.Path, bool]:
    """The SavedModel that a way starts from, and whether the way trains it."""
    return random if way == FROM_SCRATCH else trained, way != FROZEN


def tuned_rate(folder: pathlib.Path, trainable: bool, lesson: Lesson) -> float:
    """The learning rate with the best held-out accuracy; the lowest of equals."""
    accuracy = [lesson.accuracy(gradient_tape(folder, trainable, lesson, rate)) for rate in RATES]
    return RATES[int(np.argmax(accuracy))]


def warnings(accuracy: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    """A sentence for each client and way that fine-tuning does not beat."""
    return [
        f"{client}: fine-tuned is not better than {way}."
        for client, ways in accuracy.items()
        for way in (FROZEN, FROM_SCRATCH)
        if statistics.mean(ways[FINE_TUNED]) <= statistics.mean(ways[way])
    ]


def markdown(run: dict[str, Any]) -> str:
    """The report of one run: mean and range over the seeds."""
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    rates = ", ".join(f"{way} {rate:g}" for way, rate in run["rates"].items())
    lines += [f"- learning rates: {rates}", "", f"| client | {' | '.join(WAYS)} |"]
    lines.append("|---|" + "---:|" * len(WAYS))
    for client, ways in run["accuracy"].items():
        lines.append(f"| {client} | {' | '.join(_figure(ways[way]) for way in WAYS)} |")
    return "\n".join(lines) + "\n"


def _figure(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def _by_way(fits: Sequence[_Fit], logits: Iterable[Array]) -> dict[str, list[float]]:
    """Maps each way to its accuracies, in the order of the seeds."""
    accuracy: dict[str, list[float]] = {way: [] for way in WAYS}
    for (way, _, _, lesson, _), output in zip(fits, logits, strict=True):
        accuracy[way].append(lesson.accuracy(output))
    return accuracy


def _described(source: pathlib.Path) -> str:
    info = keras_mlp.saved_model_info(source)
    return f"{info['class_name']}, {tuple(info['image_shape'])}"


def _hub_fits(
    fits: Sequence[_Fit], scratch: pathlib.Path, python: str
) -> tuple[list[Array], dict[str, str]]:
    """The logits of every fit and the versions, from `client_hub` in another interpreter."""
    order = []
    for at, (_, folder, trainable, lesson, rate) in enumerate(fits):
        arrays = scratch / f"lesson{at}.npz"
        np.savez(arrays, **dataclasses.asdict(lesson))
        fit = {"folder": str(folder), "trainable": trainable, "rate": rate}
        order.append({**fit, "lesson": str(arrays)})
    (scratch / "order.json").write_text(json.dumps(order))
    reply = scratch / "reply.json"
    finished = subprocess.run(
        [python, "-m", "benchmarks.client_hub", str(scratch / "order.json"), str(reply)],
        cwd=_CHECKOUT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WorkerFailed(f"{HUB} ended early:\n{finished.stderr[-2000:]}")
    answer = json.loads(reply.read_text())
    return [np.array(logits) for logits in answer["logits"]], answer["versions"]


def _check(options: argparse.Namespace) -> None:
    """Raises ValueError for invalid options."""
    for name in ("per_class", "steps", "batch", "seeds"):
        check_positive_int(name, getattr(options, name))
    if options.hub_python and shutil.which(options.hub_python) is None:
        raise ValueError(f"`hub_python` must be an interpreter, got {options.hub_python!r}.")
    check_folder_of("json", options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    add = parser.add_argument
    add("--source", required=True, help="SavedModel of features, or an artefact with one")
    add("--hub-python", help="interpreter of `make test-clients`; without it hub is skipped")
    add("--data-dir", help="where TFDS keeps the digits")
    add("--per-class", type=int, default=10, help="training images of each class (10)")
    add("--steps", type=int, default=100, help="training steps (100)")
    add("--batch", type=int, default=20, help="images per step (20)")
    add("--seeds", type=int, default=3, help="runs of each way (3)")
    add("--json", help="file to write all results to")
    return parser


if __name__ == "__main__":
    main()
