"""LiteRT, formerly TensorFlow Lite: one file for phones and small computers."""

import os
import pathlib
import tempfile

import keras

from keras_mlp.arguments import check_choice, check_optional, check_positive_int
from keras_mlp.errors import first_line
from keras_mlp.formats.destination import check_destination
from keras_mlp.formats.inference_graph import InferenceGraph, inference_graph
from keras_mlp.formats.labels import with_labels
from keras_mlp.stderr_noise import stderr_without
from keras_mlp.whole_files import write_bytes

_QUANTIZATIONS = ("dynamic_int8",)
# What the converter says of every model.
_NOISE = (
    b"All log messages before absl::InitializeLog()",
    b"tf_tfl_flatbuffer_helpers.cc",
    b"mlir_graph_optimization_pass.cc",
)


def export_litert(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    quantize: str | None = None,
    deployed: bool = True,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model as a `.tflite` file for the LiteRT runtime.

    The file has one signature, "serving_default", with these arguments and outputs:

    | model | argument | output |
    |---|---|---|
    | `VisionModel` with `include_preprocessing` | `pixels`, uint8 in [0, 255] | float32 |
    | any other with uint8 input | `pixels`, uint8 | float32 |
    | any other with float input | `images`, float32, as the model takes them | float32 |

    Pixels are uint8 because cameras and decoders produce it, it takes a quarter of the bytes, and
    it is exact: the file computes what the model computes, up to float32 rounding. The output is
    called "logits" ("default" for a `VisionModel` without top). If the model has `class_names`, the
    file is a zip archive with `labels.txt` too: `unzip mixer.tflite`.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: file to write, ending in `.tflite`, in an existing folder.
        batch_size: number of images per call, B; None for any. A signature runner then takes any
            batch; an interpreter takes one image until `resize_tensor_input`. Compilers for some
            accelerators want a fixed one.
        quantize: None for float32; "dynamic_int8" to store the large weights as int8 and multiply
            in int8, with activations quantized by their range in each call: a quarter of the size,
            without calibration data. Outputs change: compare the accuracy (`docs/formats.md`).
        deployed: export a `RepMLPNet` in its deployed form.
        overwrite: replace an existing file, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ValueError: an argument is out of range, or the model is of another kind or too large.
        OSError: `path` exists and `overwrite` is False, or it cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow, or the converter dropped
            weights.

    Example:

    >>> path = export_litert(model, "mixer.tflite")  # doctest: +SKIP
    >>> run = Interpreter(str(path)).get_signature_runner()  # doctest: +SKIP
    >>> run(pixels=pixels)["logits"]  # doctest: +SKIP
    """
    batch_size = check_optional("batch_size", batch_size, check_positive_int)
    check_choice("quantize", quantize, (None, *_QUANTIZATIONS))
    path = check_destination(path, overwrite, suffix=".tflite")
    graph = inference_graph(model, deployed)
    graph.check_fits_one_file()
    content = _converted(graph, batch_size, quantize)
    _check_holds_weights(content, graph.model, quantize)
    write_bytes(path, with_labels(content, graph.class_names))
    return path


def _converted(graph: InferenceGraph, batch_size: int | None, quantize: str | None) -> bytes:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        graph.save(folder, batch_size)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            with stderr_without(*_NOISE):
                return converter.convert()
        except Exception as error:  # TensorFlow's own class for it is not public
            message = (
                f"`model` {graph.model.name} cannot be converted to LiteRT: {first_line(error)}"
            )
            raise ValueError(message) from error


def _check_holds_weights(content: bytes, model: keras.Model, quantize: str | None) -> None:
    """Raises RuntimeError if the file lacks its weights, which the converter does not report."""
    least = model.count_params() * (1 if quantize else 4) // 2
    if len(content) < least:
        raise RuntimeError(
            f"The converted {model.name} has {len(content):,} bytes, less than half of its "
            f"{model.count_params():,} weights: TensorFlow's converter dropped some."
        )
