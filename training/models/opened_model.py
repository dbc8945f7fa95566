"""A saved model, whatever it is saved as, as something to call."""

import collections.abc
import dataclasses
import json
import pathlib

import keras
import tensorflow as tf

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE


@dataclasses.dataclass
class OpenedModel:
    """A classifier.

    Attributes:
        call: from uint8 images (B, H, W, C) and `training=False` to logits (B, K).
        image_shape: (H, W, C).
        classes: names in the order of the logits, or None where none are stored with it.
        golden: path of the file with its golden outputs, which may not be there.
    """

    call: collections.abc.Callable
    image_shape: tuple
    classes: list | None
    golden: pathlib.Path


def open_model(source):
    """Opens what `training.train`, `saved_models.make` or Keras saved.

    Args:
        source: path of a `.keras` file, of a SavedModel's folder, or of an artefact's folder, whose
            classifier is opened.

    Returns:
        An `OpenedModel`.

    Raises:
        ValueError: there is none of these, it is damaged, or it gives no logits.
    """
    source = pathlib.Path(source)
    if source.suffix == ".keras" and source.is_file():
        return _open_keras_file(source)
    if (source / "classifier").is_dir():
        return _open_saved_model(source / "classifier", source / GOLDEN_FILE)
    if source.is_dir():
        return _open_saved_model(source, source / GOLDEN_FILE)
    raise ValueError(
        f"`--source` {source} is neither a .keras file nor the folder of a SavedModel or artefact."
    )


def _open_keras_file(file):
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises whatever its readers raise
        raise ValueError(f"`--source` {file} cannot be read: {first_line(error)}") from error
    shapes = model.input_shape, model.output_shape
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 4:
        raise ValueError(f"`--source` {file} does not take one batch of images.")
    if len(shapes[1]) != 2:
        raise ValueError(f"`--source` {file} gives outputs {shapes[1]}, not logits (B, K).")
    classes = _stored_classes(file.parent)
    return OpenedModel(model, tuple(shapes[0][1:]), classes, file.parent / GOLDEN_FILE)


def _open_saved_model(folder, golden):
    info = keras_mlp.saved_model_info(folder)
    if info["output"] != "logits":
        raise ValueError(f"`--source` {folder} gives {info['output']}, not logits.")
    try:
        model = tf.saved_model.load(str(folder))
    except Exception as error:  # a damaged graph raises whatever it happens to break
        raise ValueError(f"`--source` {folder} cannot be read: {first_line(error)}") from error
    classes = info["class_names"] or _stored_classes(folder.parent)
    return OpenedModel(model, tuple(info["image_shape"]), classes, golden)


def _stored_classes(folder):
    """Names beside a model: `labels.txt` of an artefact, or what a run's metrics say."""
    if (folder / "labels.txt").is_file():
        return (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
    try:
        return json.loads((folder / "metrics.json").read_text()).get("classes")
    except (OSError, ValueError):
        return None
