"""Opens a saved model of any format for its features, the inputs of its classifier."""

import dataclasses
import importlib
import pathlib
from collections.abc import Callable
from typing import Any

import keras

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.json_files import read_json
from keras_mlp.keras_file import load_keras_file
from training.engine.chosen import engine_module
from training.models.function_models import is_function
from training.models.opened_model import check_reads_saved_models


@dataclasses.dataclass
class FrozenFeatures:
    """A model without its classifier.

    Attributes:
        call: maps uint8 images (B, H, W, C) and `training=False` to features (B, D).
        image_shape: (H, W, C).
    """

    call: Callable[..., Any]
    image_shape: tuple[int, int, int]


def open_features(source: str | pathlib.Path) -> FrozenFeatures:
    """Opens a saved model.

    Args:
        source: path of a `.keras` file, of the folder of a SavedModel of features, or of an
            artefact's folder.

    Returns:
        A `FrozenFeatures`.

    Raises:
        ValueError: `source` is none of these, is damaged, or has no features.
    """
    source = pathlib.Path(source)
    if source.suffix == ".keras" and source.is_file():
        return _of_keras_file(source)
    if (source / "feature_vector").is_dir():
        return _of_saved_model(source / "feature_vector")
    if source.is_dir():
        return _of_saved_model(source)
    raise ValueError(
        f"`--source` {source} is neither a .keras file nor the folder of a SavedModel or artefact."
    )


def pixel_features(image_shape: tuple[int, int, int]) -> FrozenFeatures:
    """The pixels themselves as features (B, H * W * C): what a model must beat."""
    pixels = keras.Input(image_shape)
    return FrozenFeatures(keras.Model(pixels, keras.layers.Flatten()(pixels)), image_shape)


def _of_keras_file(file: pathlib.Path) -> FrozenFeatures:
    _import_custom_layers(file.parent)
    model = load_keras_file(file, f"`--source` {file}")
    features = _features(model)
    if features is None or len(features.shape) != 2 or len(model.input_shape) != 4:
        raise ValueError(
            f"`--source` {file} has no pooled features: the last layer must be a Dense classifier "
            "of images."
        )
    return FrozenFeatures(keras.Model(model.input, features), tuple(model.input_shape[1:]))


def _features(model: keras.Model) -> keras.KerasTensor | None:
    """The input of the classifier; the output of a `VisionModel` without one; or None."""
    if isinstance(model, keras_mlp.VisionModel):
        return model.get_layer("head").input if model.include_top else model.output
    layers = getattr(model, "layers", [])
    if layers and isinstance(layers[-1], keras.layers.Dense):
        return layers[-1].input
    return None


def _import_custom_layers(folder: pathlib.Path) -> None:
    """Imports the module of a run's `module:function`, which registers the layers of its model."""
    file = folder / "metrics.json"
    if not file.is_file():
        return
    metrics = read_json(file, "Restore it, or move it away.")
    config = metrics.get("config", {}) if isinstance(metrics, dict) else {}
    name = config.get("model", {}).get("architecture", "")
    if is_function(name):
        try:
            importlib.import_module(name.partition(":")[0])
        except Exception as error:  # importing a module runs it
            raise ValueError(
                f"`--source` {folder} is of {name}, which cannot be imported: {first_line(error)}."
            ) from error


def _of_saved_model(folder: pathlib.Path) -> FrozenFeatures:
    check_reads_saved_models(folder)
    info = keras_mlp.saved_model_info(folder)
    if info["output"] != "features":
        raise ValueError(
            f"`--source` {folder} outputs {info['output']}, not features: give the folder "
            "`features` of its run or `feature_vector` of its artefact, or the .keras file."
        )
    try:
        model = engine_module().load_saved_model(folder)
    except Exception as error:  # a damaged graph can raise anything
        raise ValueError(f"`--source` {folder} cannot be read: {first_line(error)}") from error
    return FrozenFeatures(model, tuple(info["image_shape"]))
