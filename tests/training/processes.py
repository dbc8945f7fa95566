"""Starts training in processes of their own."""

import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np

from training.launch import supervise


def command(config, folder, name):
    """The command that trains `config` in `folder / name`, and that path."""
    config_file = folder / f"{name}.json"
    config_file.write_text(json.dumps(dataclasses.asdict(config)))
    line = [sys.executable, "-m", "tests.training.run_train", config_file, folder / name]
    return list(map(str, line)), folder / name


def start(config, folder, name):
    """Starts training `config` in `folder / name`; returns the process and that path."""
    line, workdir = command(config, folder, name)
    with open(folder / f"{name}.log", "a", encoding="utf-8") as log:
        return subprocess.Popen(line, stdout=log, stderr=log), workdir


def finish(config, folder, name):
    """Trains to the end; returns the run's folder."""
    process, workdir = start(config, folder, name)
    assert process.wait(900) == 0, (folder / f"{name}.log").read_text()[-3000:]
    return workdir


def finish_with_workers(config, folder, name, workers):
    """Trains to the end in several processes on this machine; returns the run's folder."""
    line, workdir = command(config, folder, name)
    assert supervise([line] * workers, restarts=0) == 0
    return workdir


def weight_difference(one, other):
    """Largest difference between the weights of two finished runs."""
    models = [keras.models.load_model(folder / "model.keras") for folder in (one, other)]
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def metrics(workdir):
    return json.loads((workdir / "metrics.json").read_text())
