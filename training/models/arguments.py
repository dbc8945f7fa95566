"""Whether a config names a model that exists, found out before any work starts."""

import difflib
import pathlib

import keras_mlp
from keras_mlp.arguments import describe_choices
from training.architecture_names import check_architecture, check_names
from training.config import Model
from training.models.function_models import check_function, is_function
from training.models.trained_model import check_source

# What may change in a trained model that a run starts from.
_OF_SOURCES = ("image_shape", "dropout_rate", "drop_path_rate", "remat")


def check_model(model: Model) -> None:
    """Raises ValueError unless a config's architecture, variant, preset and arguments exist.

    With a source it checks that the source exists; `build_model` compares the rest with it.

    Args:
        model: section of a checked config.
    """
    if is_function(model.architecture):
        check_function(model)
        return
    check_architecture("model.architecture", model.architecture)
    if model.source:
        _check_source(model)
        return
    if model.start != "fine-tuned":
        raise ValueError(
            f"`model.start`={model.start!r} needs `model.source`, the model to start from."
        )
    check_names(model.architecture, model.variant, model.arguments, model.preset)
    presets = [row.name for row in keras_mlp.presets()]
    if model.preset and model.preset not in presets and not pathlib.Path(model.preset).exists():
        near = difflib.get_close_matches(model.preset, presets, n=3, cutoff=0.0)
        raise ValueError(
            f"`model.preset` {model.preset!r} is neither the name of published weights nor a file. "
            f"The nearest names are {', '.join(near)}; `keras_mlp.presets()` lists all."
        )


def _check_source(model: Model) -> None:
    check_source("model.source", model.source)
    if model.preset:
        raise ValueError("`model.source` and `model.preset` cannot both be set.")
    for name in model.arguments:
        if name not in _OF_SOURCES:
            raise ValueError(
                f"`model.arguments.{name}` cannot be set with `model.source`, whose weights decide "
                f"it. {describe_choices(name, _OF_SOURCES)}"
            )
