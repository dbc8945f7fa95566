"""Models that a page names by `module:function`: any Keras model, next to those of keras_mlp.

The function takes `image_shape`, (H, W, C), `num_classes`, and any arguments of its own by name. It
returns a Keras model from images (B, H, W, C), with pixels in [0, 255], to float32 logits (B, K).
It is called under the dtype policy of the run. Custom layers must be registered with
`keras.saving.register_keras_serializable`, so that `model.keras` can be read again.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_mlp.arguments import check_image_shape
from keras_mlp.errors import first_line
from training.architecture_names import check_arguments
from training.config import Model

_REQUIRED = ("image_shape", "num_classes")


def is_function(architecture: str) -> bool:
    """Whether a config's `model.architecture` names a function rather than an architecture."""
    return ":" in architecture


def find_function(name: str) -> Callable[..., keras.Model]:
    """The function of a name such as "examples.comparators:bit_resnet".

    Raises:
        ValueError: it cannot be imported, or does not take `image_shape` and `num_classes`.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing a module runs it
        raise ValueError(
            f"`model.architecture` {name!r} cannot be imported: {first_line(error)}. It must be "
            "module:function, with a module that Python finds from this folder."
        ) from error
    if not callable(function) or not set(_REQUIRED) <= set(argument_names(function)):
        raise ValueError(
            f"`model.architecture` {name!r} must be a function of `image_shape` and `num_classes`."
        )
    found: Callable[..., keras.Model] = function
    return found


def argument_names(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments."""
    return list(inspect.signature(function).parameters)


def check_function(model: Model) -> None:
    """Raises ValueError unless a config's function exists and takes the config's arguments.

    Args:
        model: section of a checked config, whose `architecture` names a function.
    """
    known = [name for name in argument_names(find_function(model.architecture)) if name != "dtype"]
    check_arguments(model.architecture, model.arguments, known)
    if "image_shape" not in model.arguments:
        raise ValueError(
            f"`model.arguments.image_shape` must be set for {model.architecture}, such as "
            "(32, 32, 3)."
        )
    check_image_shape(model.arguments["image_shape"])
    if model.preset:
        raise ValueError(
            f"`model.preset` must be empty for {model.architecture}: only architectures of "
            f"keras_mlp have published weights; got {model.preset!r}."
        )
    if model.source:
        raise ValueError(
            f"`model.source` must be empty for {model.architecture}: only models of keras_mlp get "
            f"a new classifier; got {model.source!r}."
        )
    if model.head_bias:
        raise ValueError(f"`model.head_bias` must be 0 for {model.architecture}.")


def model_of_function(model: Model, num_classes: int, dtype: str) -> keras.Model:
    """Calls the function that a config names.

    Args:
        model: a section that `check_function` accepts.
        num_classes: number of logits K.
        dtype: Keras dtype policy of the layers.

    Returns:
        A Keras model with random weights.

    Raises:
        ValueError: what the function returns is not such a model.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        built = find_function(model.architecture)(num_classes=num_classes, **model.arguments)
    finally:
        keras.config.set_dtype_policy(before)
    if not isinstance(built, keras.Model) or not built.built:
        raise ValueError(f"{model.architecture} must return a built Keras model, got {built!r}.")
    expected = (None, *model.arguments["image_shape"]), (None, num_classes)
    if (tuple(built.input_shape), tuple(built.output_shape)) != expected:
        raise ValueError(
            f"{model.architecture} must return a model from {expected[0]} to {expected[1]}, got "
            f"one from {built.input_shape} to {built.output_shape}."
        )
    if keras.backend.standardize_dtype(built.outputs[0].dtype) != "float32":
        raise ValueError(
            f"{model.architecture} must return float32 logits, got {built.outputs[0].dtype}: give "
            'its last layer `dtype="float32"`.'
        )
    return built
