"""The files of an artefact, and how to read them without running code that they may hold."""

import json
import pathlib
import zipfile

import keras
import numpy as np

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE

CARD = "README.md"
METRICS = "metrics.json"
MANIFEST = "manifest.json"
LABELS = "labels.txt"
KERAS_MODEL = "model.keras"
CLASSIFIER = "classifier"
FEATURE_VECTOR = "feature_vector"
SIZES = "sizes"

FORMAT_VERSION = 1
# From each SavedModel to the array of golden.npz that it must give.
OUTPUTS = {CLASSIFIER: "logits", FEATURE_VECTOR: "features"}
_METRICS_KEYS = (
    *("format_version", "name", "architecture", "form", "image_shape", "classes"),
    *("feature_dim", "feature_maps", "cost", "agreement", "sizes", "test", "bytes", "sha256"),
    *("training", "made"),
)


def saved_model_names(folder):
    """Paths of the SavedModels in an artefact, relative to it: "classifier", "sizes/32x48", ..."""
    folder = pathlib.Path(folder)
    sizes = sorted(each.name for each in (folder / SIZES).glob("*"))
    return [*OUTPUTS, *(f"{SIZES}/{name}" for name in sizes)]


def read_json(file, keys):
    """The dict in a JSON file.

    Args:
        file: its path.
        keys: that the dict must have; "format_version", if among them, must be ours.

    Returns:
        The dict.

    Raises:
        ValueError: the file is missing, damaged, of another format, or lacks a key.
    """
    try:
        tree = json.loads(pathlib.Path(file).read_text())
    except FileNotFoundError:
        raise ValueError(f"There is no {file}: its folder is no artefact.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is damaged: {first_line(error)}") from error
    missing = [key for key in keys if not isinstance(tree, dict) or key not in tree]
    if missing:
        raise ValueError(f"{file} is damaged: it has no {missing[0]!r}.")
    version = tree.get("format_version")
    if "format_version" in keys and version != FORMAT_VERSION:
        raise ValueError(f"{file} has format {version!r}; this program reads {FORMAT_VERSION}.")
    return tree


def read_metrics(folder):
    """What `saved_models.make` measured, a dict; ValueError unless it is there and whole."""
    return read_json(pathlib.Path(folder) / METRICS, _METRICS_KEYS)


def read_labels(folder):
    """Names of the classes, in the order of the logits.

    Args:
        folder: the artefact, or the assets of a SavedModel.

    Raises:
        ValueError: there is no file of labels, or it is no text.
    """
    file = pathlib.Path(folder) / LABELS
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        raise ValueError(f"There is no {file}.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {first_line(error)}") from error


def read_golden(folder):
    """Stored images and what the Keras model made of them when the artefact was made.

    Args:
        folder: the artefact.

    Returns:
        A dict: "images", uint8 (B, H, W, C); "logits", float32 (B, K); "features", float32 (B, D).

    Raises:
        ValueError: the file is no npz archive, is damaged, holds Python objects (which unpickling
            would run), or lacks an array.
    """
    file = pathlib.Path(folder) / GOLDEN_FILE
    # `np.load` would take a pickle of any name for one, and say so in other words.
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is no npz archive.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            golden = {name: arrays[name] for name in ("images", *OUTPUTS.values())}
    except Exception as error:  # a damaged archive raises whatever it happens to break
        raise ValueError(f"{file} cannot be read: {first_line(error)}") from error
    dtypes = {name: array.dtype.name for name, array in golden.items()}
    if dtypes != {"images": "uint8", "logits": "float32", "features": "float32"}:
        raise ValueError(f"{file} holds {dtypes}: images must be uint8, outputs float32.")
    return golden


def load_keras_model(folder):
    """The model in `model.keras`, without its optimizer.

    Args:
        folder: the artefact, or a run of `training.train`.

    Returns:
        A `keras_mlp.VisionModel`.

    Raises:
        ValueError: the file is no `.keras` archive, is damaged, asks for code of its own
            (`safe_mode`), or holds another kind of model.
    """
    file = pathlib.Path(folder) / KERAS_MODEL
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is no .keras archive.")
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        raise ValueError(f"{file} cannot be loaded: {first_line(error)}") from error
    if not isinstance(model, keras_mlp.VisionModel):
        raise ValueError(f"{file} holds a {type(model).__name__}, not a model of keras_mlp.")
    return model


def load_saved_model(folder):
    """The object that plain TensorFlow loads; ValueError where it cannot.

    A graph can read and write files: see `saved_models.operations` before it is loaded.
    """
    import tensorflow as tf

    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # a damaged graph raises whatever it happens to break
        raise ValueError(f"{folder} cannot be loaded: {first_line(error)}") from error
