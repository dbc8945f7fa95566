"""Opens a saved classifier in any of its formats."""

import collections.abc
import dataclasses
import pathlib
from typing import Any

import keras

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.golden import GOLDEN_FILE
from keras_mlp.json_files import read_json
from keras_mlp.keras_file import load_keras_file
from training.engine.chosen import engine_module
from training.models.logits import logits_model


@dataclasses.dataclass
class OpenedModel:
    """A classifier.

    Attributes:
        call: maps uint8 images (B, H, W, C) and `training=False` to logits (B, K).
        image_shape: (H, W, C).
        stored: what the file itself computes, to compare with golden outputs: `call`, or a model
            that returns probabilities.
        classes: class names in the order of the logits; None if none are stored with the model.
        golden: path of the file with its golden outputs, which may not exist.
    """

    call: collections.abc.Callable[..., Any]
    stored: collections.abc.Callable[..., Any]
    image_shape: tuple[int, int, int]
    classes: list[str] | None
    golden: pathlib.Path


def open_model(source: str | pathlib.Path) -> OpenedModel:
    """Opens a model saved by `training.train`, `saved_models.make` or Keras.

    Args:
        source: path of a `.keras` file, of a SavedModel's folder, of an artefact's folder, to open
            its classifier, or of a run's folder, to open its `.keras` file.

    Returns:
        An `OpenedModel`.

    Raises:
        ValueError: `source` is none of these, is damaged, or outputs neither logits nor the
            probabilities of a softmax.
    """
    source = pathlib.Path(source)
    if source.suffix == ".keras" and source.is_file():
        return _open_keras_file(source)
    file = source / "model.keras"
    if (source / "classifier").is_dir() and (
        keras.backend.backend() == "tensorflow" or not file.is_file()
    ):
        return _open_saved_model(source / "classifier", source / GOLDEN_FILE)
    if file.is_file():
        return _open_keras_file(file)
    if source.is_dir():
        return _open_saved_model(source, source / GOLDEN_FILE)
    raise ValueError(
        f"`--source` {source} is neither a .keras file nor the folder of a SavedModel, an artefact "
        "or a run."
    )


def _open_keras_file(file: pathlib.Path) -> OpenedModel:
    try:
        model = load_keras_file(file, f"`--source` {file}")
    except ValueError as error:
        saved_model = file.parent / "saved_model"
        if saved_model.is_dir() and "safe_mode" in str(error.__cause__):
            raise ValueError(
                f"{error} Or evaluate {saved_model}, which holds the same model."
            ) from error
        raise
    shapes = model.input_shape, model.output_shape
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 4:
        raise ValueError(f"`--source` {file} does not take a single batch of images.")
    if len(shapes[1]) != 2:
        raise ValueError(f"`--source` {file} outputs {shapes[1]}, not logits (B, K).")
    named = getattr(model, "class_names", None)  # a plain Keras model has none
    classes = list(named) if named else _stored_classes(file.parent)
    logits = logits_model(model, f"`--source` {file}")
    return OpenedModel(logits, model, tuple(shapes[0][1:]), classes, file.parent / GOLDEN_FILE)


def _open_saved_model(folder: pathlib.Path, golden: pathlib.Path) -> OpenedModel:
    check_reads_saved_models(folder)
    info = keras_mlp.saved_model_info(folder)
    if info["output"] != "logits":
        raise ValueError(f"`--source` {folder} outputs {info['output']}, not logits.")
    try:
        model = engine_module().load_saved_model(folder)
    except Exception as error:  # a damaged graph can raise anything
        raise ValueError(f"`--source` {folder} cannot be read: {first_line(error)}") from error
    classes = info["class_names"] or _stored_classes(folder.parent)
    return OpenedModel(model, model, tuple(info["image_shape"]), classes, golden)


def check_reads_saved_models(folder: pathlib.Path, key: str = "--source") -> None:
    """Raises ValueError for a folder without a SavedModel, or on another backend than TensorFlow.

    Args:
        folder: that holds no `.keras` file.
        key: what the user calls it.
    """
    if not (folder / "saved_model.pb").is_file():
        raise ValueError(
            f"`{key}` {folder} was not written by keras_mlp: the folder holds neither model.keras "
            "nor saved_model.pb."
        )
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"`{key}` {folder} is the folder of a SavedModel, which needs TensorFlow, but "
            f"KERAS_BACKEND is {backend!r}: set it to tensorflow, or use a .keras file."
        )


def _stored_classes(folder: pathlib.Path) -> list[str] | None:
    """The class names stored beside a model: in an artefact's `labels.txt` or a run's metrics."""
    if (folder / "labels.txt").is_file():
        try:
            return (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{folder / 'labels.txt'} cannot be read: it must be UTF-8 text, a class name a "
                "line. Restore it, or move it away to go on without class names."
            ) from error
    file = folder / "metrics.json"
    if not file.is_file():
        return None
    metrics = read_json(file, "Restore it, or move it away to go on without class names.")
    classes = metrics.get("classes") if isinstance(metrics, dict) else None
    return classes if isinstance(classes, list) else None
