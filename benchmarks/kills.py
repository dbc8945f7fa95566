"""Kills training at random moments and compares with a run that was left alone:

    python -m benchmarks.kills --kills 15 --workdir runs/kills

Digits, first on one device with everything random in it, then with two workers under
`training.launch`, of which one or both are killed.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

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
# Each start draws other numbers on replicas, and AdamW makes rounding large: not about kills.
_OF_WORKERS = {
    "model.arguments.dropout_rate": 0.0,
    "model.arguments.drop_path_rate": 0.0,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.1,
}


def options(workdir, settings):
    """Of `training.train`, as on the command line."""
    line = ["--config", _PAGE, "--workdir", str(workdir)]
    for key, value in settings.items():
        line += ["--set", f"{key}={value}"]
    return line


def train(line, workers=1, log=None):
    """Starts training; under `training.launch` with several workers."""
    if workers > 1:
        start = ["training.launch", "--workers", str(workers), "--restarts", "1000", "--", *line]
    else:
        start = ["training.train", *line]
    return subprocess.Popen([sys.executable, "-m", *start], stdout=log, stderr=log)


def wait_for_a_moment(workdir, draw, running):
    """Waits until the run shall be killed: some time after a start, or after a checkpoint.

    Args:
        workdir: of the run.
        draw: a `random.Random`.
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


def kill_one_device(line, workdir, kills, draw, log):
    """Kills the run that often, then lets it end."""
    done = []
    while len(done) < kills:
        process = train(line, log=log)
        wait_for_a_moment(workdir, draw, lambda process=process: process.poll() is None)
        if process.poll() is not None:
            return done
        process.kill()
        process.wait()
        done.append(last_checkpoint(workdir))
    train(line, log=log).wait()
    return done


def kill_workers(line, workdir, kills, draw, log):
    """Kills one worker or all of them, that often, while the launcher goes on."""
    launcher, done = train(line, workers=2, log=log), []
    while len(done) < kills and launcher.poll() is None:
        wait_for_a_moment(workdir, draw, lambda: launcher.poll() is None)
        workers = children(launcher.pid) if launcher.poll() is None else []
        for worker in draw.sample(workers, draw.randint(1, len(workers))) if workers else ():
            os.kill(worker, signal.SIGKILL)
        if workers:
            done.append(last_checkpoint(workdir))
            time.sleep(3)  # the launcher starts new ones
    if launcher.wait() != 0:
        raise RuntimeError(f"training.launch ended with {launcher.returncode}")
    return done


def children(pid):
    """The processes that a process started."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def last_checkpoint(workdir):
    """Step of the newest checkpoint; 0 before there is one."""
    steps = [int(each.stem.split("-")[1]) for each in workdir.glob("checkpoints/step-*.index")]
    return max(steps, default=0)


def difference(one, other):
    """Largest difference between the weights of two finished runs."""
    models = [keras.models.load_model(folder / "model.keras") for folder in (one, other)]
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=15, help="of each of the two runs (15)")
    parser.add_argument("--workdir", required=True, type=pathlib.Path, help="a new folder")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
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
        with open(folder.with_suffix(".log"), "w") as log:
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
