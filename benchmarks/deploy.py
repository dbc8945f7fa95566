"""The speed-up of `keras_mlp.deploy` on CPU, paired: python -m benchmarks.deploy --help."""

import argparse
import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

import keras_mlp
from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.contenders import Contender
from benchmarks.report import machine_facts, markdown
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.worker_process import WorkerFailed, WorkerProcess
from examples.repmlp_resnet import repmlp_resnet
from keras_mlp.arguments import check_choice, check_positive, check_positive_int

TRAINS, DEPLOYED = "training form", "deployed form"
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model to deploy.

    Attributes:
        build: function without arguments that makes the model.
        batch: images per call. Small models need many, or the benchmark only measures the overhead
            of a call.
    """

    build: collections.abc.Callable[[], keras.Model]
    batch: int


SUBJECTS = {
    "RepMLPNet-T224": Subject(lambda: keras_mlp.RepMLPNet.from_variant("T224"), 8),
    "RepMLPNet-nano/4": Subject(lambda: keras_mlp.RepMLPNet.from_variant("nano/4"), 64),
    "repmlp_resnet": Subject(repmlp_resnet, 256),
}


@dataclasses.dataclass(frozen=True)
class ModelTask:
    """Inference on one batch.

    Attributes:
        model: path of a `.keras` file.
        images: path of a `.npy` file, pixels (B, H, W, channels), uint8.
        threads: number of threads.
        cpus: numbers of the CPUs to run on.
    """

    model: str
    images: str
    threads: int
    cpus: list[int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures both forms of each subject and prints Markdown; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        names = [check_choice("subjects", name, SUBJECTS) for name in options.subjects.split(",")]
        check_positive_int("rounds", options.rounds)
        check_positive("seconds", options.seconds)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.deploy", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        for name in names:
            run = measure(SUBJECTS[name], options.rounds, options.seconds)
            facts |= run["facts"]
            print(f"## {name}, {SUBJECTS[name].batch} images per call")
            print(markdown({**run, "facts": {}}))
    except (Disagreement, WorkerFailed) as error:
        sys.exit(f"error: {error}")
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))


def measure(subject: Subject, rounds: int, seconds: float) -> dict[str, Any]:
    """Deploys a model, checks that both forms agree, and times them in turn on one CPU.

    Args:
        subject: a `Subject`.
        rounds: number of turns of each form.
        seconds: minimum duration of a turn.

    Returns:
        The run, for `report.markdown`.

    Raises:
        Disagreement: the two forms compute different logits.
        WorkerFailed: a form could not be loaded or run.
    """
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {}
        for contender, task in _forms(subject, folder):
            worker = WorkerProcess(contender, task, sys.executable, seconds)
            workers[contender.name] = stack.enter_context(worker)
        differences = check_agreement({n: w.output for n, w in workers.items()}, TOLERANCE)
        samples = run_in_turn({n: w.sample for n, w in workers.items()}, rounds)
    summaries = summarise(samples, TRAINS)
    versions = sorted(f"{k} {v}" for k, v in workers[TRAINS].versions.items())
    return {
        "facts": {"versions": ", ".join(versions)},
        "baseline": TRAINS,
        "contenders": {
            name: {
                "description": worker.description,
                "difference": differences[name],
                "summary": summaries[name],
                "samples": samples[name],
            }
            for name, worker in workers.items()
        },
        "missing": {},
    }


def _forms(subject: Subject, folder: pathlib.Path) -> Iterator[tuple[Contender, ModelTask]]:
    """Yields pairs (contender, task) of both forms, and writes their files into the folder."""
    model = with_random_statistics(subject.build())
    shape = (subject.batch, *model.input_shape[1:])
    np.save(folder / "images.npy", np.random.default_rng(1).integers(0, 256, shape, "uint8"))
    cpu = max(os.sched_getaffinity(0))  # the first one handles most interrupts
    for number, (name, form) in enumerate(
        {TRAINS: model, DEPLOYED: keras_mlp.deploy(model)}.items()
    ):
        path = folder / f"{number}.keras"
        form.save(path)
        contender = Contender(
            name,
            f"{_parameters(form):,} parameters, {path.stat().st_size / 1e6:.1f} MB",
            "benchmarks.contenders.model_file:forward",
            ("tensorflow", "keras", "numpy"),
        )
        yield contender, ModelTask(str(path), str(folder / "images.npy"), 1, [cpu])


def with_random_statistics(model: keras.Model, seed: int = 0) -> keras.Model:
    """Adds noise to the BatchNorms of a model: new ones are the identity and hide errors."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weight.assign(np.asarray(weight) + rng.uniform(-0.2, 0.2, weight.shape))
    return model


def _parameters(model: keras.Model) -> int:
    """The number of trainable parameters, which papers report."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.deploy",
        description=__doc__.split(":")[0] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--subjects", default=",".join(SUBJECTS), help="names, separated by commas")
    add("--rounds", type=int, default=12, help="number of turns of each form")
    add("--seconds", type=float, default=0.5, help="minimum duration of a turn")
    return parser


if __name__ == "__main__":
    main()
