"""A model that `training.train` trained, and the test images that it is evaluated on."""

import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np

from keras_mlp.errors import first_line
from keras_mlp.formats.calibration import MOST_IMAGES, spread
from keras_mlp.json_files import read_json
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
        calibration: pixels of up to 300 training images, for quantization.
    """

    name: str
    model: keras.Model
    images: Array
    labels: Array
    calibration: Array


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
        data = _data(read_json(folder / "metrics.json", "Restore it, or train again.", _data))
        model = keras.models.load_model(folder / "model.keras", compile=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder} must hold model.keras and the metrics.json of its run: {first_line(error)}"
        ) from error
    data = dataclasses.replace(data, data_dir=data_dir or data.data_dir)
    splits = load_splits(data, tuple(model.image_shape))
    images, labels = zip(*splits.test.examples.as_numpy_iterator(), strict=True)
    # Datasets may be sorted by class, so from many images.
    training = splits.train.examples.take(10 * MOST_IMAGES).as_numpy_iterator()
    calibration = spread(np.stack([pixels for pixels, _ in training]))
    name = type(model).__name__
    return TrainedModel(name, model, np.stack(images), np.stack(labels), calibration)


def _data(metrics: dict[str, Any]) -> Data:
    """The data section of a run's config, from its metrics or those of an artefact."""
    return Data(**metrics.get("training", metrics)["config"]["data"])
