"""What exported files compute, and how fast, each in a process of its own."""

import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.contenders.exported import CONTENDERS, KERAS, KERAS_INT8, LITERT_INT8, TFJS
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.worker_process import WorkerFailed, WorkerProcess

_BATCH = 100  # where a file takes any
_TOLERANCE, _INT8_TOLERANCE = 1e-4, 0.25  # of the largest logit


@dataclasses.dataclass(frozen=True)
class FileTask:
    """Inference of a file on images.

    Attributes:
        model: path of the file or folder.
        images: path of a `.npy` file, pixels (N, H, W, channels), uint8.
        batch: images per call, where the file leaves it free.
        threads: how many threads the work may use.
        cpus: numbers of the CPUs it may run on.
    """

    model: str
    images: str
    batch: int
    threads: int
    cpus: list[int]


def measure_accuracy(files, images, labels, options):
    """Logits of every form on all images, against the labels and against Keras.

    Args:
        files: what `format_files.write_formats` returns.
        images: pixels (N, H, W, channels), uint8.
        labels: (N,).
        options: what the command line gave.

    Returns:
        Dict from form to a dict of "accuracy", share of the images; "points", percentage points
        over Keras; "largest", difference of a logit to Keras; and "same", share of the images that
        get the class that Keras gives them.

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


def measure_speed(files, images, options):
    """Times all forms in turn, all images in one call, on one thread of one CPU.

    Returns:
        A run, as `report.markdown` takes it; "difference" is that to Keras' logits, relative to
        the largest of them.

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


def _differences(outputs):
    """Largest difference of each form to Keras; Disagreement where it is more than its kind may."""
    keras_output = {KERAS: outputs[KERAS]}
    rounded = {name: outputs[name] for name in (KERAS_INT8, LITERT_INT8) if name in outputs}
    exact = {name: output for name, output in outputs.items() if name not in rounded}
    return {
        **check_agreement(keras_output | exact, _TOLERANCE),
        **check_agreement(keras_output | rounded, _INT8_TOLERANCE),
    }


def _workers(files, images, batch, options):
    """Pairs (form, running worker), each started when it is asked for."""
    cpu = max(os.sched_getaffinity(0))  # the first one serves most interrupts
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images.npy"
        np.save(path, images)
        for form, file in files.items():
            contender = CONTENDERS[form]
            interpreter = _interpreter(contender, options)
            task = FileTask(str(file), str(path), batch, 1, [cpu])
            worker = WorkerProcess(contender, task, interpreter, options.seconds)
            if worker.missing:
                worker.close()
                missing = " and ".join(worker.missing)
                raise WorkerFailed(f"{interpreter} has no {missing}, which {form} needs.")
            yield form, worker


def _interpreter(contender, options):
    if contender.name == TFJS:
        return "node"
    return sys.executable if "keras" in contender.libraries else options.python
