"""SavedModels that serve and can be trained further: TF Hub's Reusable SavedModel interface."""

import contextlib
import hashlib
import itertools
import json
import pathlib
import shutil
import sys
import uuid

import keras

from keras_mlp.arguments import check_choice
from keras_mlp.models import VisionModel

INFO_FILE = "keras_mlp.json"
FORMAT_VERSION = 1


def export_saved_model(model, path, *, output="logits", overwrite=False):
    """Writes a model as a SavedModel that plain TensorFlow serves and trains further.

    The loaded object has `__call__(images, training=False)` (`training` is a Python bool),
    `variables`, `trainable_variables` (without the layers that are frozen now) and
    `regularization_losses`; `serve` and `train` for `keras.layers.TFSMLayer`; and signatures.
    Outputs are float32 and the batch size is free. What it takes:

    | model | float32 images, `serving_default` | uint8 pixels, `serving_uint8` |
    |---|---|---|
    | `VisionModel` with `include_preprocessing` | in [0, 1], as on TF Hub | in [0, 255] |
    | any other model with float input | what the model itself takes | not taken |
    | any other model with uint8 input | not taken | in [0, 255]; `serving_default` too |

    (Images in [0, 1] cannot become pixels again without rounding, hence the last row.)

    `tf.Variable.trainable` stays True for frozen layers. Consumers that read that flag instead of
    `trainable_variables`, as `TFSMLayer` does, would train them.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels) to one tensor.
        path: folder to write, in an existing folder.
        output: "logits" for the model's own output, under the signature key "logits" ("default"
            for a `VisionModel` without top); "features" for what the classifier of a
            `VisionModel` sees, pooled features (B, C), under the key "default".
        overwrite: replace a SavedModel that is there. It stays until the new one is complete.

    Returns:
        `path`, as a `pathlib.Path`. Beside the SavedModel, the folder holds `keras_mlp.json`; see
        `saved_model_info`.

    Raises:
        ValueError: `output` is unknown, or the model has no such output, or is not of that kind.
        FileExistsError: there is something at `path`, and `overwrite` is False or it is not a
            SavedModel.
        OSError: `path` cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    >>> export_saved_model(model, "mixer")  # doctest: +SKIP
    >>> tf.saved_model.load("mixer")(images_between_0_and_1)  # doctest: +SKIP
    """
    check_tensorflow_backend()
    check_choice("output", output, ("logits", "features"))
    part, key = _part_to_export(model, output)
    _check_ends(part)
    inputs = _input_conventions(model, part.input.dtype)
    path = pathlib.Path(path)
    _check_destination(path, overwrite)
    import tensorflow as tf

    with replacing_folder(path.resolve()) as folder:
        holder, signatures = _reusable(part, key, inputs)
        tf.saved_model.save(holder, str(folder), signatures)
        info = _describe(model, part, key, inputs)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        info["sha256"] = {f.relative_to(folder).as_posix(): sha256_of(f) for f in files}
        (folder / INFO_FILE).write_text(json.dumps(info, indent=2) + "\n")
    return path


def saved_model_info(path):
    """What `export_saved_model` wrote down about a SavedModel.

    Args:
        path: folder of the SavedModel.

    Returns:
        A dict: "format_version"; "class_name" of the model; "config", from which
        `ARCHITECTURES[class_name].from_config` builds a `VisionModel` again (None for other
        models); "output", "logits" or "features"; "image_shape"; "inputs", a list of {"signature",
        "argument", "dtype", "range"} (range None: whatever the model takes); "versions" of the
        packages; "sha256" of each file.

    Raises:
        ValueError: there is no such description, it is damaged, or of a newer format.
    """
    file = pathlib.Path(path) / INFO_FILE
    try:
        info = json.loads(file.read_text())
        version, _ = info["format_version"], info["sha256"].items()
    except FileNotFoundError as error:
        raise ValueError(f"{path} was not written by keras_mlp: it has no {INFO_FILE}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is damaged: {error!r}.") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{file} has format {version!r}; this keras_mlp reads {FORMAT_VERSION}.")
    return info


def check_tensorflow_backend():
    """Raises RuntimeError unless Keras runs on TensorFlow."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise RuntimeError(
            f"SavedModels need the TensorFlow backend and Keras runs on {backend!r}: set the "
            "environment variable KERAS_BACKEND=tensorflow before Python starts."
        )


def _part_to_export(model, output):
    """The functional model that gives this output, and the output's key in the signatures."""
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional Keras model, got {model!r}.")
    if output == "features":
        return keras.Model(model.input, _pooled_features(model), name=model.name), "default"
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name), "logits"
    without_top = isinstance(model, VisionModel) and not model.include_top
    return model, "default" if without_top else "logits"


def _pooled_features(model):
    if isinstance(model, VisionModel) and model.include_top:
        return model.get_layer("head").input
    if isinstance(model, VisionModel) and model.pooling is not None:
        return model.output
    raise ValueError(
        f"`output`='features' needs a VisionModel with pooled features; {model.name} "
        f"({type(model).__name__}) has none."
    )


def _check_ends(model):
    for name, tensor in {"input": model.input, "output": model.output}.items():
        if not isinstance(tensor, keras.KerasTensor):
            raise ValueError(f"`model` {model.name} must have one tensor as {name}, has {tensor}.")
    shape = model.input.shape
    if len(shape) != 4 or shape[0] is not None:
        raise ValueError(
            f"`model` {model.name} must take images (B, H, W, channels) with a free batch size B, "
            f"takes {shape}."
        )


def _input_conventions(model, dtype):
    """The kinds of image that the SavedModel takes, as `saved_model_info` tells them."""
    images = {"signature": "serving_default", "argument": "images", "dtype": "float32"}
    pixels = {"signature": "serving_uint8", "argument": "pixels", "dtype": "uint8"}
    pixels["range"] = [0, 255]
    if isinstance(model, VisionModel) and model.include_preprocessing:
        return [{**images, "range": [0, 1]}, pixels]
    if dtype == "uint8":
        # Most servers refuse a SavedModel without a default signature.
        return [pixels, {**pixels, "signature": "serving_default"}]
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(f"`model` {model.name} must take floats or uint8, takes {dtype}.")
    return [{**images, "range": None}]


def _reusable(model, key, inputs):
    """The object to save and its signatures.

    A holder of our own, because TensorFlow would not find the states of the random generators
    inside a Keras model.
    """
    import tensorflow as tf

    class ReusableSavedModel(tf.Module):
        # Hides the properties of tf.Module, so that lists can be set, and are saved.
        variables = None
        trainable_variables = None

    to_pixels = any(kind["range"] == [0, 1] for kind in inputs)

    def call(images, training=False):
        if to_pixels and images.dtype == tf.float32:
            images = images * 255.0
        return tf.cast(model(images, training=training), tf.float32)

    # Only these traces hold the model's graph; the remaining functions call them.
    dtypes = dict.fromkeys(kind["dtype"] for kind in inputs)
    specs = [tf.TensorSpec(model.input.shape, dtype) for dtype in dtypes]
    call = _traced(call, itertools.product(specs, (False, True)))
    holder = ReusableSavedModel()
    holder.__call__ = call
    holder.serve = _traced(lambda images: call(images, training=False), zip(specs))
    holder.train = _traced(lambda images: call(images, training=True), zip(specs))
    holder.variables = [variable.value for variable in model.variables]
    holder.trainable_variables = [weight.value for weight in model.trainable_weights]
    holder.regularization_losses = [_traced(loss, [()]) for loss in _losses(model)]
    serve = tf.function(lambda images: {key: call(images, training=False)})
    signatures = {
        kind["signature"]: serve.get_concrete_function(
            tf.TensorSpec(model.input.shape, kind["dtype"], kind["argument"])
        )
        for kind in inputs
    }
    return holder, signatures


def _traced(function, calls):
    """A `tf.function` that is saved with one trace for each tuple of arguments."""
    import tensorflow as tf

    function = tf.function(function)
    for arguments in calls:
        function.get_concrete_function(*arguments)
    return function


def _losses(model):
    """A function without arguments per regularised weight, and per loss of a loaded SavedModel."""

    def loss_of(weight):
        return lambda: weight.regularizer(weight)

    regularized = [weight for weight in model.trainable_weights if weight.regularizer]
    return [loss_of(weight) for weight in regularized] + _loaded_losses(model)


def _loaded_losses(model):
    losses = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            losses += _loaded_losses(layer)
        losses += getattr(layer, "regularization_losses", [])
    return losses


def _describe(model, part, key, inputs):
    import tensorflow as tf

    return {
        "format_version": FORMAT_VERSION,
        "class_name": type(model).__name__,
        "config": model.get_config() if isinstance(model, VisionModel) else None,
        "output": "features" if key == "default" else key,
        "image_shape": part.input.shape[1:],
        "inputs": inputs,
        "versions": {
            "keras_mlp": sys.modules[__package__].__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }


def sha256_of(file):
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_destination(path, overwrite):
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(f"There is something at {path} already; `overwrite` is False.")
    if not (path / "saved_model.pb").is_file():
        raise FileExistsError(f"{path} is not a SavedModel: `overwrite` replaces nothing else.")


@contextlib.contextmanager
def replacing_folder(path):
    """Yields a new folder beside `path`, which takes its place if the block succeeds."""
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        folder.mkdir()
    except OSError as error:
        raise type(error)(f"Cannot write in {path.parent}: {error.strerror}.") from error
    try:
        yield folder
        _move(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder, path):
    old = folder.with_suffix(".old")
    if path.exists():
        path.rename(old)
    try:
        folder.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
