"""The files of an artefact, and how to read them without running any code inside them."""

import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE
from keras_mlp.json_files import read_json
from keras_mlp.keras_file import load_vision_model
from keras_mlp.typing import Array

CARD = "README.md"
METRICS = "metrics.json"
MANIFEST = "manifest.json"
LABELS = "labels.txt"
KERAS_MODEL = "model.keras"
CLASSIFIER = "classifier"
FEATURE_VECTOR = "feature_vector"
SIZES = "sizes"

FORMAT_VERSION = 1
# Maps each SavedModel to the array of golden.npz that it must reproduce.
OUTPUTS = {CLASSIFIER: "logits", FEATURE_VECTOR: "features"}
_METRICS_KEYS = (
    *("format_version", "name", "architecture", "form", "image_shape", "classes"),
    *("feature_dim", "feature_maps", "cost", "agreement", "sizes", "test", "bytes", "sha256"),
    *("training", "made"),
)


def saved_model_names(folder: str | pathlib.Path) -> list[str]:
    """Paths of the SavedModels in an artefact, relative to it: "classifier", "sizes/32x48", ..."""
    folder = pathlib.Path(folder)
    sizes = sorted(each.name for each in (folder / SIZES).glob("*"))
    return [*OUTPUTS, *(f"{SIZES}/{name}" for name in sizes)]


def check_output(output: pathlib.Path) -> None:
    """Raises ValueError unless a path is that of a folder, or of one that can be created."""
    there = next(each for each in (output, *output.absolute().parents) if each.exists())
    if not there.is_dir():
        raise ValueError(f"`--output` {output} is not a folder: {there} is a file.")


def read_dict(
    file: str | pathlib.Path,
    keys: Sequence[str],
    check: Callable[[dict[str, Any]], object] = lambda tree: None,
    way_out: str = "Restore it, or make the artefact again.",
) -> dict[str, Any]:
    """Reads a dict from a JSON file.

    Args:
        file: path of the file.
        keys: keys that the dict must have; "format_version", if listed, must be `FORMAT_VERSION`.
        check: uses what the caller needs of the dict; an error in it means damage.
        way_out: what the user can do about damage.

    Returns:
        The dict.

    Raises:
        ValueError: the file is missing or damaged, has another format version, or lacks a key.
    """

    def check_keys(tree: Any) -> None:
        missing = [key for key in keys if not isinstance(tree, dict) or key not in tree]
        if missing:
            raise ValueError(f"it has no {missing[0]!r}")
        if "format_version" not in keys or tree["format_version"] == FORMAT_VERSION:
            check(tree)

    try:
        tree: dict[str, Any] = read_json(file, way_out, check_keys)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"There is no {file}: its folder is not an artefact.") from None
    version = tree.get("format_version")
    if "format_version" in keys and version != FORMAT_VERSION:
        raise ValueError(f"{file} has format {version!r}; this program reads {FORMAT_VERSION}.")
    return tree


def read_metrics(
    folder: str | pathlib.Path, check: Callable[[dict[str, Any]], object] = lambda metrics: None
) -> dict[str, Any]:
    """The metrics that `saved_models.make` measured; errors as of `read_dict`."""
    return read_dict(pathlib.Path(folder) / METRICS, _METRICS_KEYS, check)


def read_labels(folder: str | pathlib.Path) -> list[str]:
    """The class names, in the order of the logits.

    Args:
        folder: the artefact, or the assets folder of a SavedModel.

    Raises:
        ValueError: there is no file of labels, or it is not text.
    """
    file = pathlib.Path(folder) / LABELS
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ValueError(f"There is no {file}.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {first_line(error)}") from error


def read_golden(folder: str | pathlib.Path) -> dict[str, Array]:
    """The stored images, and the Keras model's outputs for them when the artefact was made.

    Args:
        folder: the artefact.

    Returns:
        A dict: "images", uint8 (B, H, W, C); "logits", float32 (B, K); "features", float32 (B, D).

    Raises:
        ValueError: the file is not an npz archive, is damaged, holds Python objects (unpickling
            would run their code), or lacks an array.
    """
    file = pathlib.Path(folder) / GOLDEN_FILE
    # `np.load` takes any other file for a pickle, and its error says so.
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is not an npz archive.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            golden = {name: arrays[name] for name in ("images", *OUTPUTS.values())}
    except Exception as error:  # a damaged archive can raise anything
        raise ValueError(f"{file} cannot be read: {first_line(error)}") from error
    dtypes = {name: array.dtype.name for name, array in golden.items()}
    if dtypes != {"images": "uint8", "logits": "float32", "features": "float32"}:
        raise ValueError(f"{file} holds {dtypes}: images must be uint8, outputs float32.")
    return golden


def load_keras_model(folder: str | pathlib.Path) -> keras_mlp.VisionModel:
    """The model in `model.keras`, without its optimizer.

    Args:
        folder: the artefact, or a run of `training.train`.

    Returns:
        A `keras_mlp.VisionModel`.

    Raises:
        ValueError: the file is not a `.keras` archive, is damaged, holds code that `safe_mode`
            refuses, or holds another kind of model.
    """
    return load_vision_model(pathlib.Path(folder) / KERAS_MODEL)


def load_saved_model(folder: str | pathlib.Path) -> Any:
    """Loads a SavedModel with plain TensorFlow; ValueError if that fails.

    A graph can read and write files: check it with `saved_models.operations` before loading it.
    """
    import tensorflow as tf

    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # a damaged graph can raise anything
        raise ValueError(f"{folder} cannot be loaded: {first_line(error)}") from error
