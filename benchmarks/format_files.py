"""One model in every format that is measured."""

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


def write_formats(model, folder, python, converter=None, keras_int8=False):
    """Writes a model in every format.

    Args:
        model: of one of the architectures of `keras_mlp`.
        folder: existing and empty.
        python: interpreter that has the extra `onnx`.
        converter: path of `tensorflowjs_converter`; None to leave TensorFlow.js out.
        keras_int8: also write the model after Keras' own `quantize("int8")`.

    Returns:
        Dict from the name of a contender to the path of its file or folder.

    Raises:
        WorkerFailed: the ONNX file or the folder of TensorFlow.js could not be written.
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
        # A copy: the model itself stays as it was given.
        copy = keras.models.load_model(file, compile=False)
        copy.quantize("int8")
        files[KERAS_INT8] = folder / "int8.keras"
        copy.save(files[KERAS_INT8])
    return files


def _onnx(file, path, python):
    order = [python, "-m", "keras_mlp.formats", str(file), "--format", "onnx", "--output", path]
    finished = subprocess.run(
        order,
        cwd=_CHECKOUT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WorkerFailed(f"No ONNX file was written:\n{finished.stderr[-2000:]}")
    return path


def _tfjs(model, path, converter):
    try:
        return export_tfjs(model, path, converter=converter)
    except RuntimeError as error:
        raise WorkerFailed(f"No folder of TensorFlow.js was written: {error}") from error
