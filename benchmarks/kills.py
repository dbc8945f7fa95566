"""Kills training at random moments and compares it with an undisturbed run:

    python -m benchmarks.kills --kills 15 --workdir runs/kills

It trains on the digits, first on one device with every kind of randomness, then with two workers
under `training.launch`, and kills one or both of them.
"""

import argparse
import functools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import keras
import numpy as np

import keras_mlp  # noqa: F401  its classes are needed to load models
from benchmarks.report import machine_facts

_PAGE = "training/configs/digits.py"
_SETTINGS = {
    "epochs": 100,
    "data.validation_percent": 10,
    "model.arguments.num_layers": 2,
    "model.arguments.hidden_dim": 16,
    "optimizer.ema": 0.99,
    "runtime.export": False,
    "runtime.steps_per_loop": 5,
}
# Replicas draw new random numbers at each start, and AdamW amplifies rounding, even without kills.
_OF_WORKERS = {
    "model.arguments.dropout_rate": 0.0,
    "model.arguments.drop_path_rate": 0.0,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.1,
}


def options(workdir: pathlib.Path, settings: Mapping[str, Any]) -> list[str]:
    """Command-line options of `training.train`."""
    line = ["--config", _PAGE, "--workdir", str(workdir)]
    for key, value in settings.items():
        line += ["--set", f"{key}={value}"]
    return line


def train(
    line: Sequence[str], workers: int = 1, log: IO[str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts training; with several workers, under `training.launch`."""
    if workers > 1:
        start = ["training.launch", "--workers", str(workers), "--restarts", "1000", "--", *line]
    else:
        start = ["training.train", *line]
    return subprocess.Popen([sys.executable, "-m", *start], stdout=log, stderr=log)


def wait_for_a_moment(
    workdir: pathlib.Path, draw: random.Random, running: Callable[[], bool]
) -> None:
    """Waits until it is time to kill the run: some time after its start or after a checkpoint.

    Args:
        workdir: workdir of the run.
        draw: source of the random times.
        running: function without arguments; waiting ends when it returns False.
    """
    before, begin = last_checkpoint(workdir), time.monotonic()
    early = draw.random() < 0.3
    rest = draw.uniform(0, 15) if early else draw.uniform(0, 1.5)
    while not early and running() and last_checkpoint(workdir) == before:
        time.sleep(0.02)
        begin = time.monotonic()
    while running() and time.monotonic() < begin + rest:
        time.sleep(0.02)


def is_running(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has not ended."""
    return process.poll() is None


def kill_one_device(
    line: Sequence[str], workdir: pathlib.Path, kills: int, draw: random.Random, log: IO[str]
) -> list[int]:
    """Kills the run up to `kills` times, then lets it finish; returns the steps of the kills."""
    done: list[int] = []
    while len(done) < kills:
        process = train(line, log=log)
        wait_for_a_moment(workdir, draw, functools.partial(is_running, process))
        if not is_running(process):
            return done
        process.kill()
        process.wait()
        done.append(last_checkpoint(workdir))
    train(line, log=log).wait()
    return done


def kill_workers(
    line: Sequence[str], workdir: pathlib.Path, kills: int, draw: random.Random, log: IO[str]
) -> list[int]:
    """Kills one or all workers up to `kills` times while the launcher keeps running."""
    launcher, done = train(line, workers=2, log=log), list[int]()
    while len(done) < kills and is_running(launcher):
        wait_for_a_moment(workdir, draw, functools.partial(is_running, launcher))
        workers = children(launcher.pid) if is_running(launcher) else []
        for worker in draw.sample(workers, draw.randint(1, len(workers))) if workers else ():
            os.kill(worker, signal.SIGKILL)
        if workers:
            done.append(last_checkpoint(workdir))
            time.sleep(3)  # the launcher starts new ones
    if launcher.wait() != 0:
        raise RuntimeError(f"training.launch ended with {launcher.returncode}")
    return done


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(child) for child in text.split()]


def last_checkpoint(workdir: pathlib.Path) -> int:
    """The step of the newest checkpoint; 0 if there is none."""
    steps = [int(each.stem.split("-")[1]) for each in workdir.glob("checkpoints/step-*.index")]
    return max(steps, default=0)


def difference(one: pathlib.Path, other: pathlib.Path) -> float:
    """The largest difference between the weights of two finished runs."""
    models = [keras.models.load_model(folder / "model.keras") for folder in (one, other)]
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=15, help="kills of each of the two runs (15)")
    parser.add_argument("--workdir", required=True, type=pathlib.Path, help="a new folder")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (0)")
    settings = parser.parse_args(arguments)
    settings.workdir.mkdir(parents=True)
    draw = random.Random(settings.seed)
    print("| run | kills | steps at which | weights | test accuracy |\n|---|---:|---|---:|---:|")
    for name, kill, extra in (
        ("one device", kill_one_device, {}),
        ("2 workers", kill_workers, _OF_WORKERS),
    ):
        folder = settings.workdir / name.replace(" ", "_")
        alone, killed = folder.with_name(folder.name + "_alone"), folder
        with open(folder.with_suffix(".log"), "w", encoding="utf-8") as log:
            line = options(alone, {**_SETTINGS, **extra})
            train(line, workers=2 if extra else 1, log=log).wait()
            steps = kill(options(killed, {**_SETTINGS, **extra}), killed, settings.kills, draw, log)
        accuracy = [
            json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
            for run in (alone, killed)
        ]
        print(
            f"| {name} | {len(steps)} | {', '.join(map(str, steps))} | "
            f"{difference(alone, killed):.1e} | {accuracy[1] - accuracy[0]:+.2%} |",
            flush=True,
        )
    print(json.dumps(machine_facts()))


if __name__ == "__main__":
    main()
