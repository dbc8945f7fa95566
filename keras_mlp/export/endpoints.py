"""The functions of a SavedModel: every endpoint calls one of two graphs of the model.

They are traced without AutoGraph, as Keras does it: none has control flow over tensors, and
AutoGraph would take most of the time of a first export.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_mlp.export.pictures import DECODED_CHANNELS, decoded, refuse_pixels, resized
from keras_mlp.export.selection import Selection
from keras_mlp.models import VisionModel
from keras_mlp.typing import Shape, Tensor


def input_conventions(selection: Selection) -> list[dict[str, Any]]:
    """Returns what each signature takes: "inputs" in `saved_model_info`.

    Raises:
        ValueError: the model takes neither floats nor uint8.
    """
    inputs = _tensor_inputs(selection)
    height, width, channels = selection.part.input.shape[1:]
    takes_pixels = any(kind["dtype"] == "uint8" for kind in inputs)
    if takes_pixels and channels in DECODED_CHANNELS and None not in (height, width):
        encoded = {"signature": "serving_bytes", "argument": "encoded", "dtype": "string"}
        how = {"resize": selection.resize or "bilinear", "max_pixels": selection.max_pixels}
        inputs.append({**encoded, "range": None, **how, "upright": selection.upright})
    if selection.features:
        inputs.append({**inputs[0], "signature": "serving_features"})
    return inputs


def _tensor_inputs(selection: Selection) -> list[dict[str, Any]]:
    model, dtype = selection.model, selection.part.input.dtype
    images: dict[str, Any] = {
        "signature": "serving_default",
        "argument": "images",
        "dtype": "float32",
    }
    pixels: dict[str, Any] = {"signature": "serving_uint8", "argument": "pixels", "dtype": "uint8"}
    pixels["range"] = [0, 255]
    if isinstance(model, VisionModel) and model.include_preprocessing:
        return [{**images, "range": [0, 1]}, pixels]
    if dtype == "uint8":
        # Most servers refuse a SavedModel without a default signature.
        return [pixels, {**pixels, "signature": "serving_default"}]
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(f"`model` {model.name} must take floats or uint8, takes {dtype}.")
    return [{**images, "range": None}]


def reusable(selection: Selection, inputs: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """Returns the object to save and its signatures.

    The object is not the Keras model, because TensorFlow would not find the states of the random
    generators inside it.

    Args:
        selection: what to export.
        inputs: the result of `input_conventions`.
    """
    import tensorflow as tf

    class ReusableSavedModel(tf.Module):
        # Replaces the properties of tf.Module, so that lists can be assigned and are saved.
        variables: Any = None
        trainable_variables: Any = None

    model = selection.inference_model()
    sizes = [_Size(selection, model, inputs)]
    for shape in selection.image_shapes:
        sized = selection.at(shape)
        sizes.append(_Size(sized, sized.inference_model(), inputs))

    def size_of(images: Tensor) -> _Size:
        # Every trace has a static size; that of one with `resize` is not known, nor needed.
        return next((each for each in sizes if each.takes(images)), sizes[0])

    def call(images: Tensor, training: bool = False) -> Tensor:
        size = size_of(images)
        prepared = size.prepared(images)
        return size.train(prepared) if training else size.infer(prepared)[0]

    def features(images: Tensor) -> dict[str, Tensor]:
        size = size_of(images)
        features: dict[str, Tensor] = size.infer(size.prepared(images))[1]
        return features

    specs = [spec for size in sizes for spec in _specs(size.selection, inputs)]
    holder = ReusableSavedModel()
    holder.__call__ = _traced(call, itertools.product(specs, (False, True)))
    holder.serve = _traced(lambda images: call(images), zip(specs))
    holder.train = _traced(lambda images: call(images, training=True), zip(specs))
    if selection.features:
        holder.features = _traced(features, zip(specs))
    part = selection.part
    holder.variables = [variable.value for variable in stored_variables(part, model)]
    holder.trainable_variables = [weight.value for weight in part.trainable_weights]
    holder.regularization_losses = [_traced(loss, [()]) for loss in _losses(part)]
    signatures = _signatures(selection, inputs, call, features)
    for size in sizes[1:]:
        height, width, _ = size.selection.model.image_shape
        tensors = [kind for kind in inputs if kind["dtype"] != "string"]
        own = _signatures(size.selection, tensors, call, features)
        signatures |= {f"{name}_{height}x{width}": each for name, each in own.items()}
    return holder, signatures


class _Size:
    """The graphs of a model at one image size, and what brings images to their input.

    Args:
        selection: what to export, of the model or of a view of it.
        model: its `inference_model`.
        inputs: the result of `input_conventions`.
    """

    def __init__(
        self, selection: Selection, model: keras.Model, inputs: list[dict[str, Any]]
    ) -> None:
        self.selection = selection
        self.infer, self.train = _graphs(selection, model)
        self.prepared = _preparation(selection, inputs)

    def takes(self, images: Tensor) -> bool:
        return tuple(images.shape[1:]) == tuple(self.selection.part.input.shape[1:])


def stored_variables(part: keras.Model, model: keras.Model) -> list[keras.Variable]:
    """The variables of a SavedModel, in the order in which it stores them.

    Args:
        part: the model to the output.
        model: the model to the output and the features.
    """
    return list({id(each): each for each in (*part.variables, *model.variables)}.values())


def _graphs(selection: Selection, model: keras.Model) -> tuple[Any, Any]:
    """Returns the functions for inference and training, the only ones with the model's graph."""
    import tensorflow as tf

    def as_float32(outputs: Any) -> Any:
        return keras.tree.map_structure(lambda each: tf.cast(each, tf.float32), outputs)

    @tf.function(autograph=False)
    def infer(images: Tensor) -> Any:
        return as_float32(model(images, training=False))

    @tf.function(autograph=False)
    def train(images: Tensor) -> Tensor:
        return as_float32(selection.part(images, training=True))

    spec = tf.TensorSpec(selection.part.input.shape, selection.part.input.dtype)
    return infer.get_concrete_function(spec), train.get_concrete_function(spec)


def _preparation(selection: Selection, inputs: list[dict[str, Any]]) -> Callable[[Tensor], Tensor]:
    """Returns the function from what the endpoints take, except files, to the model's input."""
    import tensorflow as tf

    shape, dtype = _taken_shape(selection), selection.part.input.dtype
    size = selection.part.input.shape[1:3]
    takes_unit_floats = any(kind["range"] == [0, 1] for kind in inputs)

    def prepared(images: Tensor) -> Tensor:
        # TensorFlow does not validate signature inputs: it would return garbage or crash.
        images = tf.ensure_shape(images, shape)
        is_unit_float = takes_unit_floats and images.dtype == tf.float32
        if is_unit_float:
            refuse_pixels(images)
        if selection.resize is not None:
            images = resized(images, size, selection.resize)
        return tf.cast(images * 255.0 if is_unit_float else images, dtype)

    return prepared


def _specs(selection: Selection, inputs: list[dict[str, Any]]) -> list[Any]:
    """Returns a `tf.TensorSpec` per dtype of images that the model takes."""
    import tensorflow as tf

    dtypes = dict.fromkeys(kind["dtype"] for kind in inputs if kind["dtype"] != "string")
    return [tf.TensorSpec(_taken_shape(selection), dtype) for dtype in dtypes]


def _taken_shape(selection: Selection) -> Shape:
    shape = selection.part.input.shape
    return shape if selection.resize is None else (None, None, None, shape[-1])


def _signatures(
    selection: Selection,
    inputs: list[dict[str, Any]],
    call: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], dict[str, Tensor]],
) -> dict[str, Any]:
    """Returns a concrete function per signature."""
    import tensorflow as tf

    def serve(images: Tensor) -> dict[str, Tensor]:
        return {selection.key: call(images)}

    signatures = {}
    for kind in inputs:
        function: Callable[[Tensor], dict[str, Tensor]] = serve
        shape = _taken_shape(selection)
        if kind["signature"] == "serving_features":
            function = features
        if kind["dtype"] == "string":
            function, shape = _from_files(serve, selection, kind["resize"]), (None,)
        spec = tf.TensorSpec(shape, kind["dtype"], kind["argument"])
        traced = tf.function(function, autograph=False)
        signatures[kind["signature"]] = traced.get_concrete_function(spec)
    return signatures


def _from_files(
    serve: Callable[[Tensor], dict[str, Tensor]], selection: Selection, method: str
) -> Callable[[Tensor], dict[str, Tensor]]:
    shape = selection.part.input.shape[1:]
    bound, turn = selection.max_pixels, selection.upright
    return lambda encoded: serve(decoded(encoded, shape, method, bound, turn))


def _traced(function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Any:
    """Returns a `tf.function` that is saved with one trace per tuple of arguments."""
    import tensorflow as tf

    traced = tf.function(function, autograph=False)
    for arguments in calls:
        traced.get_concrete_function(*arguments)
    return traced


def _losses(model: keras.Model) -> list[Callable[[], Tensor]]:
    """Returns a function without arguments per regularised weight and per loss of a SavedModel."""

    def loss_of(weight: keras.Variable) -> Callable[[], Tensor]:
        return lambda: weight.regularizer(weight)

    regularized = [weight for weight in model.trainable_weights if weight.regularizer]
    return [loss_of(weight) for weight in regularized] + _loaded_losses(model)


def _loaded_losses(model: keras.Model) -> list[Callable[[], Tensor]]:
    losses: list[Callable[[], Tensor]] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            losses += _loaded_losses(layer)
        losses += getattr(layer, "regularization_losses", [])
    return losses
