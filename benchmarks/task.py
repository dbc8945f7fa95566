"""The task of all contenders: one model's weights and a batch of labelled images, in files."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import safetensors

from benchmarks.deploy import with_random_statistics
from keras_mlp import ARCHITECTURES, VisionModel, deploy, save_checkpoint
from keras_mlp.deploy import has_training_form


@dataclasses.dataclass(frozen=True)
class Task:
    """Inference on one batch, or training on it.

    Attributes:
        model: path of a `.keras` file that takes normalised images, or of that model in the form
            that a contender runs.
        images: path of a `.npy` file, normalised images (B, H, W, channels), float32.
        labels: path of a `.npy` file (B,), int64.
        batch: B.
        threads: number of threads.
        cpus: numbers of the CPUs to run on.
        weights: path of a `.safetensors` file in timm's naming; None if timm lacks the network.
        timm: how timm builds the model, see `benchmarks.timm_side.build`; None if it lacks it.
    """

    model: str
    images: str
    labels: str
    batch: int
    threads: int
    cpus: list[int]
    weights: str | None = None
    timm: dict[str, Any] | None = None


def write_task(
    folder: pathlib.Path,
    architecture: str,
    variant: str,
    batch_size: int,
    cpus: Sequence[int],
    seed: int = 0,
) -> Task:
    """Writes random weights and images into a folder.

    Args:
        folder: path of an existing folder.
        architecture: key of `keras_mlp.ARCHITECTURES`.
        variant: one of its variants. A RepMLPNet is deployed, as its users deploy it.
        batch_size: B.
        cpus: numbers of the CPUs to run on, one per thread.
        seed: seed of the random numbers.

    Returns:
        A `Task`.
    """
    keras.utils.set_random_seed(seed)
    model = ARCHITECTURES[architecture].from_variant(variant, include_preprocessing=False)
    model = with_random_statistics(without_zeros(model, seed), seed)
    if has_training_form(model):
        model = deploy(model)
    model.save(folder / "model.keras")
    shape = (batch_size, *model.image_shape)
    rng = np.random.default_rng(seed)
    np.save(folder / "images.npy", rng.standard_normal(shape, "float32"))
    np.save(folder / "labels.npy", rng.integers(0, model.num_classes, batch_size))
    task = Task(
        str(folder / "model.keras"),
        str(folder / "images.npy"),
        str(folder / "labels.npy"),
        batch_size,
        len(cpus),
        list(cpus),
    )
    return _with_timm(task, model, folder) if model.timm is not None else task


def _with_timm(task: Task, model: VisionModel, folder: pathlib.Path) -> Task:
    path = save_checkpoint(model, folder / "weights.safetensors")
    with safetensors.safe_open(path, "numpy") as file:
        call = file.metadata().get("timm")
    return dataclasses.replace(task, weights=str(path), timm=json.loads(call)) if call else task


def without_zeros(model: keras.Model, seed: int = 0) -> keras.Model:
    """Fills a new model's zero weights, such as the classifier's, with noise: zeros hide errors."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if not np.any(weight):
            scale = 1 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
            weight.assign(scale * rng.standard_normal(weight.shape))
    return model


def check_threads(threads: int) -> list[int]:
    """The last CPUs of this process, one per thread; ValueError if there are fewer."""
    cpus = sorted(os.sched_getaffinity(0))
    if threads > len(cpus):
        raise ValueError(f"`threads` must be at most the {len(cpus)} CPUs, got {threads}.")
    return cpus[-threads:]  # the first CPU handles most interrupts


def calibration_file(task: Task) -> pathlib.Path:
    """Writes random images like those of a task, to quantize its model with."""
    shape = np.load(task.images, mmap_mode="r").shape[1:]
    path = pathlib.Path(task.images).with_name("calibration.npy")
    np.save(path, np.random.default_rng(1).standard_normal((8, *shape), "float32"))
    return path
