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
from training.models.starting_points import freeze_all_but_the_head, unchanged
from training.models.trained_model import size_of, trained_model


def build_model(model: Model, num_classes: int, dtype: str) -> keras.Model:
    """The Keras model that a config names, with random weights or those that it starts from."""
    if is_function(model.architecture):
        built = model_of_function(model, num_classes, dtype)
    else:
        built = _build_architecture(model, num_classes, dtype)
    return permuted(built, model.permute_patches) if model.permute_patches else built


def _build_architecture(model: Model, num_classes: int, dtype: str) -> keras_mlp.VisionModel:
    if model.source:
        return _from_source(model, num_classes, dtype)
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


def _from_source(model: Model, num_classes: int, dtype: str) -> keras_mlp.VisionModel:
    """A trained model with a new classifier, of which the config says what trains."""
    trained = trained_model(model.source, "model.source")
    found = type(trained).__name__, size_of(trained)
    if found != (model.architecture, model.variant):
        raise ValueError(
            f"`model.architecture` and `model.variant` are {model.architecture} {model.variant}; "
            f"`model.source` {model.source} is a {' '.join(found)}."
        )
    config = trained.get_config()
    if config["quantized"]:
        raise ValueError(
            f"`model.source` {model.source} is quantized and cannot be trained: start from the "
            "model before it was quantized."
        )
    if config["lora"]:
        trained = keras_mlp.merge_lora(trained)
    arguments = dict(model.arguments)
    image_shape = tuple(arguments.pop("image_shape", trained.image_shape))
    if image_shape != tuple(trained.image_shape):
        trained = keras_mlp.with_image_shape(trained, image_shape, method=model.resize_method)
    headed = keras_mlp.with_new_head(trained, num_classes)
    built = unchanged(
        type(headed),
        {**headed.get_config(), **arguments, "classifier_activation": None, "dtype": dtype},
    )
    if model.start != "from scratch":
        built.set_weights(headed.get_weights())
        built.weights_source = headed.weights_source or pathlib.Path(model.source).name
    if model.start == "frozen":
        freeze_all_but_the_head(built)
    return built


def model_image_shape(model: Model) -> tuple[int, ...]:
    """(H, W, C) of the model that a config names, before it is built."""
    check_model(model)
    if is_function(model.architecture):
        return tuple(model.arguments["image_shape"])
    if model.source:
        if "image_shape" in model.arguments:
            return tuple(model.arguments["image_shape"])
        return tuple(trained_model(model.source, "model.source").image_shape)
    variant = keras_mlp.ARCHITECTURES[model.architecture].variants[model.variant]
    return tuple({**variant, **model.arguments}["image_shape"])
