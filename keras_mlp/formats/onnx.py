"""ONNX: one file for ONNX Runtime, OpenVINO, TensorRT and others."""

import sys

from keras_mlp.errors import first_line
from keras_mlp.formats.destination import check_destination, check_installed
from keras_mlp.formats.inference_graph import inference_graph
from keras_mlp.whole_files import write_bytes

OPSET = 18  # the newest that tf2onnx 1.17 writes


def export_onnx(model, path, *, deployed=True, overwrite=False):
    """Writes a model as an `.onnx` file, in float32, with a free batch size.

    Input and output have the names, types and ranges of `export_litert`: `pixels`, uint8 in
    [0, 255], for a `VisionModel` with `include_preprocessing`. The metadata of the file are
    "keras_mlp", the version, and "class_name" of the model.

    Needs `tf2onnx`: `python -m pip install 'keras_mlp[onnx]'`.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor, that computes in float32.
        path: file to write, ending in `.onnx`, in an existing folder.
        deployed: a `RepMLPNet` in the form that trains is exported in its deployed form.
        overwrite: replace a file that is there, once the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        ImportError: `tf2onnx` is not installed.
        ValueError: an argument is wrong, or the model is not of that kind, or too large, or has an
            operation that ONNX does not know.
        OSError: there is something at `path` and `overwrite` is False, or it cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow.

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
    _describe(proto, graph.model)
    write_bytes(path, proto.SerializeToString())
    return path


def _converted(graph):
    import onnx
    import tf2onnx

    proto, _ = tf2onnx.convert.from_function(graph.function(), [graph.spec()], opset=OPSET)
    # tf2onnx names the free dimension by a counter; every reader shows this name.
    for end in (*proto.graph.input, *proto.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        message = f"`model` {graph.model.name} has no form in ONNX: {first_line(error)}"
        raise ValueError(message) from error
    return proto


def _describe(proto, model):
    proto.graph.name = model.name
    version = sys.modules["keras_mlp"].__version__
    for key, value in {"keras_mlp": version, "class_name": type(model).__name__}.items():
        proto.metadata_props.add(key=key, value=value)
