"""The logits of a classifier that ends with a softmax."""

from typing import Any

import keras
import numpy as np

from keras_mlp.models import VisionModel
from keras_mlp.models.model_view import ModelView


def logits_model(model: keras.Model, what: str) -> keras.Model:
    """A classifier that returns logits; the model itself if it does so already.

    Args:
        model: a model with one output (B, K).
        what: what the user calls it, for errors.

    Returns:
        `model`, or a model of the same layers. For a Keras model that ends with a softmax, it
        returns the logarithms of the probabilities, whose softmax are the probabilities.

    Raises:
        ValueError: the model ends with a sigmoid.
    """
    if isinstance(model, (VisionModel, ModelView)):
        has_logits = not model.include_top or model.classifier_activation is None
        return model if has_logits else keras.Model(model.input, model.logits, name=model.name)
    activation = final_activation(model)
    if activation == "sigmoid":
        raise ValueError(
            f"{what} ends with a sigmoid, which rounds confident predictions to 0 and 1: save the "
            "model without it, so that it outputs logits (B, K)."
        )
    if activation is None:
        return model
    probabilities = keras.ops.cast(model.output, "float32")
    smallest = float(np.finfo("float32").tiny)
    logits = keras.ops.log(keras.ops.maximum(probabilities, smallest))
    return keras.Model(model.input, logits, name=model.name)


def final_activation(model: keras.Model) -> str | None:
    """ "softmax" or "sigmoid" if a model ends with it, as a layer or inside its last one."""
    tensors = _outputs(model)
    while len(tensors) == 1:
        # Keras has no public name for what computes a symbolic tensor.
        operation, node, _ = tensors[0]._keras_history
        name = _activation(operation)
        if name in ("softmax", "sigmoid"):
            return name
        if isinstance(operation, keras.Model):
            tensors = _outputs(operation)
        elif name == "linear" and isinstance(operation, keras.layers.Activation):
            tensors = operation._inbound_nodes[node].input_tensors  # as for a cast to float32
        else:
            return None
    return None


def _outputs(model: keras.Model) -> list[keras.KerasTensor]:
    """Its own symbolic outputs, not those of a model that it is a layer of."""
    return getattr(model, "outputs", None) or []  # a subclassed model has none


def _activation(operation: Any) -> str:
    """The name of an activation that is a layer, `keras.ops.softmax`, or an argument of a layer."""
    if hasattr(operation, "activation"):
        return getattr(operation.activation, "__name__", "")
    return type(operation).__name__.lower()
