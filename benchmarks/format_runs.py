"""The accuracy and speed of exported files, each in its own process."""

import argparse
import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.contenders import Contender
from benchmarks.contenders.exported import (
    CONTENDERS,
    KERAS,
    KERAS_INT8,
    LITERT_INT8,
    OPENVINO_BF16,
    OPENVINO_INT8,
    TFJS,
)
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.task import check_threads
from benchmarks.worker_process import WorkerFailed, WorkerProcess
from keras_mlp.typing import Array

_BATCH = 100  # for files that take any batch size
_ROUNDED = (KERAS_INT8, LITERT_INT8, OPENVINO_BF16, OPENVINO_INT8)
_TOLERANCE, _ROUNDED_TOLERANCE = 1e-4, 0.25  # of the largest logit


@dataclasses.dataclass(frozen=True)
class FileTask:
    """Inference with a file on images.

    Attributes:
        model: path of the file or folder.
        images: path of a `.npy` file, pixels (N, H, W, channels), uint8.
        batch: images per call, unless the file fixes it.
        threads: number of threads.
        cpus: numbers of the CPUs to run on.
    """

    model: str
    images: str
    batch: int
    threads: int
    cpus: list[int]


def measure_accuracy(
    files: Mapping[str, pathlib.Path], images: Array, labels: Array, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Compares the logits of every form on all images with the labels and with Keras.

    Args:
        files: what `format_files.write_formats` returns.
        images: pixels (N, H, W, channels), uint8.
        labels: (N,).
        options: the command-line options.

    Returns:
        A dict from form to a dict of "accuracy", in [0, 1]; "points", percentage points above
        Keras; "largest", the largest difference of a logit from Keras; and "same", the share of
        images with the same predicted class as Keras.

    Raises:
        WorkerFailed: a form could not be run.
    """
    logits = {}
    for form, worker in _workers(files, images, _BATCH, options):
        with worker:
            logits[form] = np.array(worker.output, "float32")
    classes = {form: each.argmax(-1) for form, each in logits.items()}
    accuracy = {form: float(np.mean(each == labels)) for form, each in classes.items()}
    return {
        form: {
            "accuracy": accuracy[form],
            "points": 100 * (accuracy[form] - accuracy[KERAS]),
            "largest": float(np.abs(logits[form] - logits[KERAS]).max()),
            "same": float(np.mean(classes[form] == classes[KERAS])),
        }
        for form in files
    }


def measure_speed(
    files: Mapping[str, pathlib.Path], images: Array, options: argparse.Namespace
) -> dict[str, Any]:
    """Times all forms in turn, with all images in one call.

    Returns:
        A run, for `report.markdown`; "difference" is the largest difference from Keras' logits,
        relative to the largest of them.

    Raises:
        Disagreement: forms compute different logits.
        WorkerFailed: a form could not be run.
    """
    with contextlib.ExitStack() as stack:
        workers = {
            form: stack.enter_context(worker)
            for form, worker in _workers(files, images, len(images), options)
        }
        differences = _differences({n: w.output for n, w in workers.items()})
        samples = run_in_turn({n: w.sample for n, w in workers.items()}, options.rounds)
    summaries = summarise(samples, KERAS)
    versions = {f"{k} {v}" for worker in workers.values() for k, v in worker.versions.items()}
    return {
        "facts": {"versions": ", ".join(sorted(versions))},
        "baseline": KERAS,
        "contenders": {
            form: {
                "description": worker.description,
                "difference": differences[form],
                "summary": summaries[form],
                "samples": samples[form],
            }
            for form, worker in workers.items()
        },
        "missing": {},
    }


def _differences(outputs: dict[str, Any]) -> dict[str, float]:
    """Each form's largest difference from Keras; Disagreement if it exceeds its tolerance."""
    keras_output = {KERAS: outputs[KERAS]}
    rounded = {name: outputs[name] for name in _ROUNDED if name in outputs}
    exact = {name: output for name, output in outputs.items() if name not in rounded}
    return {
        **check_agreement(keras_output | exact, _TOLERANCE),
        **check_agreement(keras_output | rounded, _ROUNDED_TOLERANCE),
    }


def _workers(
    files: Mapping[str, pathlib.Path], images: Array, batch: int, options: argparse.Namespace
) -> Iterator[tuple[str, WorkerProcess]]:
    """Yields pairs (form, running worker); each worker starts when it is asked for."""
    cpus = check_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images.npy"
        np.save(path, images)
        for form, file in files.items():
            contender = CONTENDERS[form]
            interpreter = _interpreter(contender, options)
            task = FileTask(str(file), str(path), batch, options.threads, cpus)
            worker = WorkerProcess(contender, task, interpreter, options.seconds)
            if worker.missing:
                worker.close()
                missing = " and ".join(worker.missing)
                raise WorkerFailed(f"{interpreter} has no {missing}, which {form} needs.")
            yield form, worker


def _interpreter(contender: Contender, options: argparse.Namespace) -> str:
    if contender.name == TFJS:
        return "node"
    return sys.executable if "keras" in contender.libraries else options.python
