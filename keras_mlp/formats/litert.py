"""LiteRT, which was called TensorFlow Lite: one file for phones and small computers."""

import tempfile

from keras_mlp.arguments import check_choice, check_optional, check_positive_int
from keras_mlp.errors import first_line
from keras_mlp.formats.destination import check_destination
from keras_mlp.formats.inference_graph import inference_graph
from keras_mlp.whole_files import write_bytes

_QUANTIZATIONS = ("dynamic_int8",)


def export_litert(model, path, *, batch_size=1, quantize=None, deployed=True, overwrite=False):
    """Writes a model as a `.tflite` file for the LiteRT runtime.

    The file has one signature, "serving_default". What it takes and gives:

    | model | argument | output |
    |---|---|---|
    | `VisionModel` with `include_preprocessing` | `pixels`, uint8 in [0, 255] | float32 |
    | any other with uint8 input | `pixels`, uint8 | float32 |
    | any other with float input | `images`, float32, what the model itself takes | float32 |

    uint8, because cameras and decoders give it, because it is a quarter of the bytes, and because
    it is exact: the file then computes what the model computes, up to the rounding of float32. The
    output is called "logits" ("default" for a `VisionModel` without top). Shapes are fixed.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: file to write, ending in `.tflite`, in an existing folder.
        batch_size: number of images per call, B.
        quantize: None for float32; "dynamic_int8" to store the large weights as int8 and multiply
            in int8, with activations rounded by their range in each call: a quarter of the size,
            no calibration data, and other outputs. Compare the accuracy (`docs/formats.md`).
        deployed: a `RepMLPNet` in the form that trains is exported in its deployed form.
        overwrite: replace a file that is there, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ValueError: an argument is out of range, or the model is not of that kind, or too large.
        OSError: there is something at `path` and `overwrite` is False, or it cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow; or the converter left weights
            out of the file.

    Example:

    >>> path = export_litert(model, "mixer.tflite")  # doctest: +SKIP
    >>> run = Interpreter(str(path)).get_signature_runner()  # doctest: +SKIP
    >>> run(pixels=pixels)["logits"]  # doctest: +SKIP
    """
    batch_size = check_positive_int("batch_size", batch_size)
    check_optional("quantize", quantize, lambda *given: check_choice(*given, _QUANTIZATIONS))
    path = check_destination(path, overwrite, suffix=".tflite")
    graph = inference_graph(model, deployed)
    graph.check_fits_one_file()
    content = _converted(graph, batch_size, quantize)
    _check_holds_weights(content, graph.model, quantize)
    write_bytes(path, content)
    return path


def _converted(graph, batch_size, quantize):
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        graph.save(folder, batch_size)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            return converter.convert()
        except Exception as error:  # TensorFlow has no public name for the converter's own
            message = f"`model` {graph.model.name} has no form in LiteRT: {first_line(error)}"
            raise ValueError(message) from error


def _check_holds_weights(content, model, quantize):
    """Raises RuntimeError for a file that only refers to its weights; the converter does not."""
    least = model.count_params() * (1 if quantize else 4) // 2
    if len(content) < least:
        raise RuntimeError(
            f"The converted {model.name} has {len(content):,} bytes, less than half of its "
            f"{model.count_params():,} weights: TensorFlow's converter left some out."
        )
