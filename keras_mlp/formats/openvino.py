"""OpenVINO: a folder with the IR files that Intel's runtime loads."""

import contextlib
import logging
import os
import pathlib
import sys
import tempfile
from typing import Any

import keras

from keras_mlp.arguments import check_choice
from keras_mlp.errors import first_line
from keras_mlp.formats.calibration import Images, calibration_images_of
from keras_mlp.formats.destination import check_destination, check_installed
from keras_mlp.formats.inference_graph import InferenceGraph, inference_graph
from keras_mlp.formats.labels import LABELS_FILE, label_lines
from keras_mlp.typing import Array
from keras_mlp.whole_files import whole_folder, write_errors

MODEL_FILE = "model.xml"
_QUANTIZATIONS = ("int8",)


def export_openvino(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantize: str | None = None,
    calibration_images: Images | None = None,
    deployed: bool = True,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model as a folder with OpenVINO's `model.xml` and `model.bin`.

    With a free batch size. Input and output have the names, dtypes and ranges of `export_litert`:
    `pixels`, uint8 in [0, 255], for a `VisionModel` with `include_preprocessing`. `labels.txt`
    holds the model's `class_names`, if it has them.

    Weights are float32, but the runtime computes in bfloat16 on CPUs that support it, unless the
    hint "f32" of the example below forbids it.

    Needs `openvino`: `python -m pip install 'keras_mlp[openvino]'`; int8 also needs `nncf`, the
    extra `openvino-int8`.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: folder to write, in an existing folder.
        quantize: None for float32; "int8" for post-training quantization of weights and
            activations by NNCF, with ranges measured on `calibration_images`. Outputs change:
            compare the accuracy (`docs/formats.md`).
        calibration_images: typical images for `quantize="int8"`, which needs them: training
            images, never test images. An array (N, H, W, channels) of what the model takes, uint8
            pixels or normalised float32; the path of a `.npy` file of one; or, for a model that
            takes pixels, the path of a folder of JPEG and PNG files, which are decoded and resized
            as in training. At most 300 are used, spread evenly.
        deployed: export a `RepMLPNet` in its deployed form.
        overwrite: replace an existing folder with a `model.xml`, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ImportError: `openvino`, or for int8 `nncf`, is not installed.
        ValueError: an argument is wrong, or the model is of another kind, or has an operation that
            OpenVINO does not support.
        OSError: `path` exists and `overwrite` is False, or it cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> path = export_openvino(model, "mixer_openvino")  # doctest: +SKIP
    >>> exact = {"INFERENCE_PRECISION_HINT": "f32"}  # doctest: +SKIP
    >>> run = openvino.compile_model(path / "model.xml", "CPU", exact)  # doctest: +SKIP
    >>> logits = run({"pixels": pixels})["logits"]  # doctest: +SKIP
    """
    check_choice("quantize", quantize, (None, *_QUANTIZATIONS))
    _check_calibrated(quantize, calibration_images)
    path = check_destination(path, overwrite, marker=MODEL_FILE)
    check_installed("openvino", ("openvino",))
    if quantize:
        check_installed("openvino-int8", ("nncf",))
    graph = inference_graph(model, deployed)
    images = None
    if calibration_images is not None:
        images = calibration_images_of(calibration_images, graph.model.input.shape[1:], graph.dtype)
    converted = _converted(graph)
    if images is not None:
        converted = _quantized(converted, images)
    with whole_folder(path) as folder:
        _save(converted, folder)
        if graph.class_names is not None:
            (folder / LABELS_FILE).write_text(label_lines(graph.class_names), encoding="utf-8")
    return path


def _check_calibrated(quantize: str | None, images: Images | None) -> None:
    """Raises ValueError unless there are calibration images exactly when they are needed."""
    if quantize and images is None:
        raise ValueError(
            f"`quantize`={quantize!r} needs `calibration_images`: some 300 training images, as "
            "an array (N, H, W, channels) of what the model takes, or a path."
        )
    if images is not None and not quantize:
        raise ValueError("`calibration_images` are for `quantize`='int8', got `quantize`=None.")


def _converted(graph: InferenceGraph) -> Any:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        graph.save(folder)
        try:
            converted = openvino.convert_model(folder)
        except Exception as error:  # OpenVINO's own classes for it are not public
            message = (
                f"`model` {graph.model.name} cannot be converted to OpenVINO: {first_line(error)}"
            )
            raise ValueError(message) from error
        # It may still read its weights from the folder, which goes away.
        converted = converted.clone()
    converted.set_friendly_name(graph.model.name)
    (given,), (returned,) = converted.inputs, converted.outputs
    given.set_names({graph.input_name})
    returned.set_names({graph.output_name})
    return converted


def _quantized(converted: Any, images: Array) -> Any:
    import nncf

    nncf.set_log_level(logging.ERROR)
    # The caller's stdout is not for progress bars.
    with contextlib.redirect_stdout(sys.stderr):
        batches = [images[at : at + 1] for at in range(len(images))]
        return nncf.quantize(converted, nncf.Dataset(batches), subset_size=len(batches))


def _save(converted: Any, folder: pathlib.Path) -> None:
    import openvino

    # OpenVINO's default rounds the weights to float16.
    with write_errors(folder, RuntimeError):
        openvino.save_model(converted, folder / MODEL_FILE, compress_to_fp16=False)
