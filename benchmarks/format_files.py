"""Writes one model in every format to measure."""

import os
import pathlib
import subprocess

import keras
import numpy as np

from benchmarks.contenders.exported import (
    KERAS,
    KERAS_INT8,
    LITERT,
    LITERT_INT8,
    ONNX,
    OPENVINO,
    OPENVINO_BF16,
    OPENVINO_INT8,
    SAVED_MODEL,
    TFJS,
)
from benchmarks.report import has_bfloat16
from benchmarks.worker_process import WorkerFailed
from keras_mlp import export_saved_model
from keras_mlp.formats import export_litert, export_tfjs
from keras_mlp.typing import Array

_CHECKOUT = pathlib.Path(__file__).parents[1]


def write_formats(
    model: keras.Model,
    folder: pathlib.Path,
    python: str,
    calibration: Array,
    converter: str | None = None,
    keras_int8: bool = False,
) -> dict[str, pathlib.Path]:
    """Writes a model in every format.

    Args:
        model: a model of one of the architectures of `keras_mlp`.
        folder: an existing, empty folder.
        python: interpreter with the extras `onnx` and `openvino-int8`.
        calibration: images (N, H, W, channels) to quantize OpenVINO's file with.
        converter: path of `tensorflowjs_converter`; None to skip TensorFlow.js.
        keras_int8: also write the model after Keras' own `quantize("int8")`.

    Returns:
        A dict from the name of a contender to the path of its file or folder.

    Raises:
        WorkerFailed: a file of ONNX, OpenVINO or TensorFlow.js could not be written.
    """
    file = folder / "model.keras"
    model.save(file)
    files = {
        KERAS: file,
        SAVED_MODEL: export_saved_model(model, folder / "saved_model"),
        LITERT: export_litert(model, folder / "model.tflite"),
        LITERT_INT8: export_litert(model, folder / "int8.tflite", quantize="dynamic_int8"),
        ONNX: convert(file, "onnx", folder / "model.onnx", python),
        **write_openvino(file, folder, python, calibration),
    }
    if converter:
        files[TFJS] = _tfjs(model, folder / "tfjs", converter)
    if keras_int8:
        # A copy: `quantize` would change the caller's model.
        copy = keras.models.load_model(file, compile=False)
        copy.quantize("int8")
        files[KERAS_INT8] = folder / "int8.keras"
        copy.save(files[KERAS_INT8])
    return files


def litert_at_batch(
    files: dict[str, pathlib.Path], model: keras.Model, folder: pathlib.Path, batch: int
) -> dict[str, pathlib.Path]:
    """The same files with LiteRT's written again for another batch size, which they fix."""
    if batch == 1:
        return files
    path, int8 = folder / f"batch_{batch}.tflite", folder / f"batch_{batch}_int8.tflite"
    again = {
        LITERT: export_litert(model, path, batch_size=batch),
        LITERT_INT8: export_litert(model, int8, batch_size=batch, quantize="dynamic_int8"),
    }
    return {name: again.get(name, path) for name, path in files.items()}


def write_openvino(
    file: pathlib.Path, folder: pathlib.Path, python: str, calibration: Array
) -> dict[str, pathlib.Path]:
    """Writes a `.keras` file for OpenVINO in every precision that the processor has.

    Returns:
        A dict from the name of a contender to the path of its folder.

    Raises:
        WorkerFailed: a folder could not be written.
    """
    np.save(folder / "calibration.npy", calibration)
    images = ("--calibration-images", str(folder / "calibration.npy"))
    exact = convert(file, "openvino", folder / "openvino", python)
    int8 = convert(file, "openvino-int8", folder / "openvino_int8", python, *images)
    rounded = {OPENVINO_BF16: exact} if has_bfloat16() else {}
    return {OPENVINO: exact, **rounded, OPENVINO_INT8: int8}


def convert(
    file: pathlib.Path, form: str, path: pathlib.Path, python: str, *more: str
) -> pathlib.Path:
    """Runs `keras_mlp.formats` in another interpreter.

    Raises:
        WorkerFailed: it failed; the message holds the end of its output.
    """
    order = [python, "-m", "keras_mlp.formats", str(file), "--format", form, *more]
    order += ["--output", str(path)]
    finished = subprocess.run(
        order,
        cwd=_CHECKOUT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WorkerFailed(f"The {form} file was not written:\n{finished.stderr[-2000:]}")
    return path


def _tfjs(model: keras.Model, path: pathlib.Path, converter: str) -> pathlib.Path:
    try:
        return export_tfjs(model, path, converter=converter)
    except RuntimeError as error:
        raise WorkerFailed(f"The TensorFlow.js folder was not written: {error}") from error
