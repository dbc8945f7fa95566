"""The functions of a SavedModel: every endpoint leads to one of two graphs of the model."""

import itertools

import keras

from keras_mlp.export.pictures import DECODED_CHANNELS, decoded, refuse_pixels, resized
from keras_mlp.models import VisionModel


def input_conventions(selection):
    """What each signature takes, as `saved_model_info` tells it.

    Raises:
        ValueError: the model takes neither floats nor uint8.
    """
    inputs = _tensor_inputs(selection)
    height, width, channels = selection.part.input.shape[1:]
    takes_pixels = any(kind["dtype"] == "uint8" for kind in inputs)
    if takes_pixels and channels in DECODED_CHANNELS and None not in (height, width):
        encoded = {"signature": "serving_bytes", "argument": "encoded", "dtype": "string"}
        inputs.append({**encoded, "range": None, "resize": selection.resize or "bilinear"})
    if selection.features:
        inputs.append({**inputs[0], "signature": "serving_features"})
    return inputs


def _tensor_inputs(selection):
    model, dtype = selection.model, selection.part.input.dtype
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


def reusable(selection, inputs):
    """The object to save and its signatures.

    A holder of our own, because TensorFlow would not find the states of the random generators
    inside a Keras model.

    Args:
        selection: a `Selection`.
        inputs: as `input_conventions` gives them.
    """
    import tensorflow as tf

    class ReusableSavedModel(tf.Module):
        # Hides the properties of tf.Module, so that lists can be set, and are saved.
        variables = None
        trainable_variables = None

    model = selection.inference_model()
    infer, train = _graphs(selection, model)
    prepared = _preparation(selection, inputs)

    def call(images, training=False):
        return train(prepared(images)) if training else infer(prepared(images))[0]

    def features(images):
        return infer(prepared(images))[1]

    specs = _specs(selection, inputs)
    holder = ReusableSavedModel()
    holder.__call__ = _traced(call, itertools.product(specs, (False, True)))
    holder.serve = _traced(lambda images: call(images), zip(specs))
    holder.train = _traced(lambda images: call(images, training=True), zip(specs))
    if selection.features:
        holder.features = _traced(features, zip(specs))
    part = selection.part
    variables = {id(each): each.value for each in (*part.variables, *model.variables)}
    holder.variables = list(variables.values())
    holder.trainable_variables = [weight.value for weight in part.trainable_weights]
    holder.regularization_losses = [_traced(loss, [()]) for loss in _losses(part)]
    return holder, _signatures(selection, inputs, call, features)


def _graphs(selection, model):
    """The functions for inference and for training: only these two hold the model's graph."""
    import tensorflow as tf

    def as_float32(outputs):
        return keras.tree.map_structure(lambda each: tf.cast(each, tf.float32), outputs)

    @tf.function
    def infer(images):
        return as_float32(model(images, training=False))

    @tf.function
    def train(images):
        return as_float32(selection.part(images, training=True))

    spec = tf.TensorSpec(selection.part.input.shape, selection.part.input.dtype)
    return infer.get_concrete_function(spec), train.get_concrete_function(spec)


def _preparation(selection, inputs):
    """The function from what the endpoints take, but for files, to what the model takes."""
    import tensorflow as tf

    shape, dtype = _taken_shape(selection), selection.part.input.dtype
    size = selection.part.input.shape[1:3]
    takes_unit_floats = any(kind["range"] == [0, 1] for kind in inputs)

    def prepared(images):
        # Nobody else looks at what a signature gets: TensorFlow would compute something, or crash.
        images = tf.ensure_shape(images, shape)
        is_unit_float = takes_unit_floats and images.dtype == tf.float32
        if is_unit_float:
            refuse_pixels(images)
        if selection.resize is not None:
            images = resized(images, size, selection.resize)
        return tf.cast(images * 255.0 if is_unit_float else images, dtype)

    return prepared


def _specs(selection, inputs):
    """One `tf.TensorSpec` per dtype of images that are taken."""
    import tensorflow as tf

    dtypes = dict.fromkeys(kind["dtype"] for kind in inputs if kind["dtype"] != "string")
    return [tf.TensorSpec(_taken_shape(selection), dtype) for dtype in dtypes]


def _taken_shape(selection):
    shape = selection.part.input.shape
    return shape if selection.resize is None else (None, None, None, shape[-1])


def _signatures(selection, inputs, call, features):
    """A concrete function per signature."""
    import tensorflow as tf

    def serve(images):
        return {selection.key: call(images)}

    signatures = {}
    for kind in inputs:
        function, shape = serve, _taken_shape(selection)
        if kind["signature"] == "serving_features":
            function = features
        if kind["dtype"] == "string":
            function, shape = _from_files(serve, selection, kind["resize"]), (None,)
        spec = tf.TensorSpec(shape, kind["dtype"], kind["argument"])
        signatures[kind["signature"]] = tf.function(function).get_concrete_function(spec)
    return signatures


def _from_files(serve, selection, method):
    shape = selection.part.input.shape[1:]
    return lambda encoded: serve(decoded(encoded, shape, method))


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
