"""The Keras model that a config names."""

import pathlib
import typing

import keras
import numpy as np

import keras_mlp
from training.config import Model
from training.models.arguments import check_model
from training.models.function_models import is_function, model_of_function
from training.models.permuted import permuted


def build_model(model: Model, num_classes: int, dtype: str) -> keras.Model:
    """The Keras model that a config names, with random weights or those of a preset."""
    if is_function(model.architecture):
        built = model_of_function(model, num_classes, dtype)
    else:
        built = _build_architecture(model, num_classes, dtype)
    return permuted(built, model.permute_patches) if model.permute_patches else built


def _build_architecture(model: Model, num_classes: int, dtype: str) -> keras_mlp.VisionModel:
    architecture = keras_mlp.ARCHITECTURES[model.architecture]
    arguments = {**model.arguments, "num_classes": num_classes, "dtype": dtype}
    if model.preset:
        built = _from_preset(architecture, model, arguments)
    else:
        built = architecture.from_variant(model.variant, **arguments)
    bias = built.get_layer("head").bias
    if model.head_bias and not np.any(bias):
        bias.assign(np.full(bias.shape, model.head_bias, "float32"))
    return built


def _from_preset(
    architecture: type[keras_mlp.VisionModel], model: Model, arguments: dict[str, typing.Any]
) -> keras.Model:
    """With published weights, made to fit the image size as the config says."""
    image_shape = None
    if model.resize_method != "interpolate":  # which `from_preset` does by itself
        image_shape = arguments.pop("image_shape", None)
    if model.preset in {row.name for row in keras_mlp.presets()}:
        built = architecture.from_preset(model.preset, **arguments)
    else:
        path = pathlib.Path(model.preset)
        built = architecture.from_preset(path, variant=model.variant, **arguments)
    if image_shape is None:
        return built
    return keras_mlp.with_image_shape(built, image_shape, method=model.resize_method)


def model_image_shape(model: Model) -> tuple[int, ...]:
    """(H, W, C) of the model that a config names, before it is built."""
    check_model(model)
    if is_function(model.architecture):
        return tuple(model.arguments["image_shape"])
    variant = keras_mlp.ARCHITECTURES[model.architecture].variants[model.variant]
    arguments = {"image_shape": (224, 224, 3), **variant, **model.arguments}
    return tuple(arguments["image_shape"])
