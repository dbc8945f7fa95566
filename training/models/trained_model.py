"""The trained model that a user names: a file, a folder or published weights."""

import pathlib

import keras_mlp
from keras_mlp.arguments import describe_choices
from keras_mlp.keras_file import load_vision_model
from keras_mlp.models import VisionModel
from keras_mlp.models.about import variant_of
from training.models.opened_model import check_reads_saved_models

KERAS_FILE = "model.keras"
LABELS_FILE = "labels.txt"
OWN_SIZE = "own size"
KINDS = (
    "a .keras file, the folder of a run, an artefact or a SavedModel of keras_mlp, or the name of "
    "published weights"
)


def is_source(source: str) -> bool:
    """Whether there is something at a path, or published weights of that name."""
    return pathlib.Path(source).exists() or source in _presets()


def check_source(key: str, source: str) -> None:
    """Raises ValueError, with the nearest names, unless a source exists.

    Args:
        key: what the user calls it.
        source: path, or name of published weights.
    """
    if is_source(source):
        return
    near = describe_choices(source, _presets()).split("Allowed:")[0].strip()
    raise ValueError(
        f"`{key}` {source} is neither a path that exists nor the name of published weights. "
        f"It must be {KINDS}. {near}".strip()
    )


def keras_file(path: pathlib.Path) -> pathlib.Path | None:
    """The `.keras` file that a path names: itself, or that of a run or an artefact; or None."""
    if path.is_dir() and (path / KERAS_FILE).is_file():
        return path / KERAS_FILE
    return path if path.suffix == ".keras" and path.is_file() else None


def trained_model(source: str | pathlib.Path, key: str = "--source") -> VisionModel:
    """Opens a trained model with its weights.

    Args:
        source: one of `KINDS`.
        key: what the user calls it, for errors.

    Returns:
        A `VisionModel`. That of a SavedModel of features has no classifier.

    Raises:
        ValueError: it is none of these, is damaged, or holds a model of another kind.
        OSError: published weights cannot be obtained.
    """
    path = pathlib.Path(source)
    if not path.exists():
        check_source(key, str(source))
        return VisionModel.from_preset(str(source))
    file = keras_file(path)
    if file is not None:
        return load_vision_model(file, f"`{key}` {file}")
    if not path.is_dir():
        raise ValueError(f"`{key}` {path} must be {KINDS}.")
    check_reads_saved_models(path, key)
    return keras_mlp.load_saved_model(path)


def size_of(model: VisionModel) -> str:
    """The name of a model's size, as configs and reports call it."""
    return variant_of(model) or OWN_SIZE


def _presets() -> list[str]:
    return [row.name for row in keras_mlp.presets()]
