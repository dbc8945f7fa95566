"""A model that `training.train` trained, and the test images that it is evaluated on."""

import dataclasses
import json
import pathlib

import keras
import numpy as np

from keras_mlp.typing import Array
from training.config import Data
from training.data.pipeline import load_splits


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained model with its test split.

    Attributes:
        name: name of the model's class.
        model: the Keras model.
        images: the test split, pixels (N, H, W, channels), uint8.
        labels: (N,).
    """

    name: str
    model: keras.Model
    images: Array
    labels: Array


def read_trained_model(folder: str | pathlib.Path, data_dir: str | None = None) -> TrainedModel:
    """Reads a folder with `model.keras` and the `metrics.json` of its training run.

    Args:
        folder: path of the run, or of an artefact made from it.
        data_dir: where TFDS keeps the prepared dataset; None for the folder in the run's config.

    Returns:
        A `TrainedModel`.

    Raises:
        ValueError: the folder lacks these files, or the images cannot be read.
    """
    folder = pathlib.Path(folder)
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
        data = metrics.get("training", metrics)["config"]["data"]
        model = keras.models.load_model(folder / "model.keras", compile=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder} must hold model.keras and the metrics.json of its run: {error!r}."
        ) from error
    data = Data(**{**data, "data_dir": data_dir or data["data_dir"]})
    test = load_splits(data, tuple(model.image_shape)).test
    images, labels = zip(*test.examples.as_numpy_iterator(), strict=True)
    return TrainedModel(type(model).__name__, model, np.stack(images), np.stack(labels))
