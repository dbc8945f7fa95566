"""Writes one model in every format to measure."""

import os
import pathlib
import subprocess

import keras

from benchmarks.contenders.exported import (
    KERAS,
    KERAS_INT8,
    LITERT,
    LITERT_INT8,
    ONNX,
    SAVED_MODEL,
    TFJS,
)
from benchmarks.worker_process import WorkerFailed
from keras_mlp import export_saved_model
from keras_mlp.formats import export_litert, export_tfjs

_CHECKOUT = pathlib.Path(__file__).parents[1]


def write_formats(
    model: keras.Model,
    folder: pathlib.Path,
    python: str,
    converter: str | None = None,
    keras_int8: bool = False,
) -> dict[str, pathlib.Path]:
    """Writes a model in every format.

    Args:
        model: a model of one of the architectures of `keras_mlp`.
        folder: an existing, empty folder.
        python: interpreter with the extra `onnx`.
        converter: path of `tensorflowjs_converter`; None to skip TensorFlow.js.
        keras_int8: also write the model after Keras' own `quantize("int8")`.

    Returns:
        A dict from the name of a contender to the path of its file or folder.

    Raises:
        WorkerFailed: the ONNX file or the TensorFlow.js folder could not be written.
    """
    file = folder / "model.keras"
    model.save(file)
    files = {
        KERAS: file,
        SAVED_MODEL: export_saved_model(model, folder / "saved_model"),
        LITERT: export_litert(model, folder / "model.tflite"),
        LITERT_INT8: export_litert(model, folder / "int8.tflite", quantize="dynamic_int8"),
        ONNX: _onnx(file, folder / "model.onnx", python),
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


def _onnx(file: pathlib.Path, path: pathlib.Path, python: str) -> pathlib.Path:
    order = [
        python,
        "-m",
        "keras_mlp.formats",
        str(file),
        "--format",
        "onnx",
        "--output",
        str(path),
    ]
    finished = subprocess.run(
        order,
        cwd=_CHECKOUT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WorkerFailed(f"The ONNX file was not written:\n{finished.stderr[-2000:]}")
    return path


def _tfjs(model: keras.Model, path: pathlib.Path, converter: str) -> pathlib.Path:
    try:
        return export_tfjs(model, path, converter=converter)
    except RuntimeError as error:
        raise WorkerFailed(f"The TensorFlow.js folder was not written: {error}") from error
