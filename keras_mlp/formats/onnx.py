"""ONNX: one file for ONNX Runtime, OpenVINO, TensorRT and others."""

import os
import pathlib
from typing import Any

import keras

from keras_mlp.errors import first_line
from keras_mlp.formats.destination import check_destination, check_installed
from keras_mlp.formats.inference_graph import InferenceGraph, inference_graph
from keras_mlp.json_files import json_text
from keras_mlp.version import __version__
from keras_mlp.whole_files import write_bytes

OPSET = 18  # the newest that tf2onnx 1.17 writes


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    deployed: bool = True,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model as an `.onnx` file, in float32, with a free batch size.

    Input and output have the names, dtypes and ranges of `export_litert`: `pixels`, uint8 in
    [0, 255], for a `VisionModel` with `include_preprocessing`. The file's metadata are "keras_mlp",
    the version, "class_name", that of the model, and "class_names", a JSON list, if the model has
    them.

    Needs `tf2onnx`: `python -m pip install 'keras_mlp[onnx]'`.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: file to write, ending in `.onnx`, in an existing folder.
        deployed: export a `RepMLPNet` in its deployed form.
        overwrite: replace an existing file, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ImportError: `tf2onnx` is not installed.
        ValueError: an argument is wrong, or the model is of another kind, too large, or has an
            operation that ONNX does not support.
        OSError: `path` exists and `overwrite` is False, or it cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> path = export_onnx(model, "mixer.onnx")  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(path)  # doctest: +SKIP
    >>> (logits,) = session.run(["logits"], {"pixels": pixels})  # doctest: +SKIP
    """
    path = check_destination(path, overwrite, suffix=".onnx")
    check_installed("onnx", ("tf2onnx", "onnx"))
    graph = inference_graph(model, deployed)
    graph.check_fits_one_file()
    proto = _converted(graph)
    _describe(proto, graph)
    write_bytes(path, proto.SerializeToString())
    return path


def _converted(graph: InferenceGraph) -> Any:
    import onnx
    import tf2onnx

    proto, _ = tf2onnx.convert.from_function(graph.function(), [graph.spec()], opset=OPSET)
    # tf2onnx names the free dimension with a counter, and readers show the name.
    for end in (*proto.graph.input, *proto.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        message = f"`model` {graph.model.name} cannot be converted to ONNX: {first_line(error)}"
        raise ValueError(message) from error
    return proto


def _describe(proto: Any, graph: InferenceGraph) -> None:
    model = graph.model
    proto.graph.name = model.name
    facts = {"keras_mlp": __version__, "class_name": type(model).__name__}
    if graph.class_names is not None:
        facts["class_names"] = json_text(graph.class_names, ascii_only=False)
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)
