"""The description of a SavedModel, in a file that can be read without TensorFlow."""

import os
import pathlib
from typing import Any

import keras

from keras_mlp.arguments import check_path
from keras_mlp.export.folders import sha256_of_files
from keras_mlp.export.selection import Selection
from keras_mlp.json_files import read_json, write_json
from keras_mlp.models import VisionModel
from keras_mlp.version import __version__

INFO_FILE = "keras_mlp.json"
FORMAT_VERSION = 1
_KEYS = ("class_name", "config", "output", "image_shape", "inputs", "features", "class_names")
_WAY_OUT = "Export the model again."


def saved_model_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the description that `export_saved_model` wrote into a SavedModel.

    Args:
        path: folder of the SavedModel.

    Returns:
        A dict: "format_version"; "class_name" of the model; "config", from which
        `ARCHITECTURES[class_name].from_config` rebuilds a `VisionModel` (None for other models);
        "output", "logits" or "features"; "image_shape" of the model; "inputs", a list with a dict
        {"signature", "argument", "dtype", "range"} per signature, where range None means files or
        whatever the model takes, and files have "resize", the method that resizes them,
        "max_pixels" and "upright" (a file without these two keys is older, and has no bound);
        "features", "class_names" and "resize" as they were given; "image_shapes", the
        further ones that it takes (files of older versions lack it); "versions" of the packages;
        "sha256" of each file.

    Raises:
        ValueError: the description is missing, damaged, or of another format version.
    """
    file = check_path("path", path) / INFO_FILE
    try:
        info = read_json(file, _WAY_OUT, _check)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(f"{path} was not written by keras_mlp: it has no {INFO_FILE}.") from error
    version = info["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"{file} has format {version!r}; this keras_mlp reads {FORMAT_VERSION}.")
    missing = [key for key in _KEYS if key not in info]
    if missing:
        raise ValueError(f"{file} is damaged: it has no {missing[0]!r}. {_WAY_OUT}")
    return info


def _check(info: Any) -> None:
    """Raises an error unless the format and the files can be read from a description."""
    _ = info["format_version"]
    info["sha256"].items()


def write_description(
    folder: pathlib.Path, selection: Selection, inputs: list[dict[str, Any]]
) -> None:
    """Writes the description of a complete SavedModel.

    Args:
        folder: folder of the SavedModel.
        selection: what was exported.
        inputs: the result of `input_conventions`.
    """
    info = _describe(selection, inputs)
    info["sha256"] = sha256_of_files(folder)
    write_json(folder / INFO_FILE, info)


def _describe(selection: Selection, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    import tensorflow as tf

    model = selection.model
    return {
        "format_version": FORMAT_VERSION,
        "class_name": type(model).__name__,
        "config": model.get_config() if isinstance(model, VisionModel) else None,
        "output": "logits" if selection.key == "logits" else "features",
        "image_shape": selection.part.input.shape[1:],
        "inputs": inputs,
        "features": selection.features,
        "class_names": selection.class_names,
        "resize": selection.resize,
        "image_shapes": selection.image_shapes,
        "versions": {
            "keras_mlp": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
