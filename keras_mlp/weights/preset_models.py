"""Models with published weights, by name or from a file."""

import functools
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from keras_mlp.arguments import (
    check_bool,
    check_choice,
    check_image_shape,
    check_optional,
    check_path,
)
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.models.blank_model import blank_model
from keras_mlp.weights.catalogue import find_preset
from keras_mlp.weights.checkpoint import Checkpoint, place, recognise
from keras_mlp.weights.class_names import names_of
from keras_mlp.weights.download import cache_folder, download
from keras_mlp.weights.file_image_shape import shape_in_file
from keras_mlp.weights.hub_files import is_address
from keras_mlp.weights.hub_models import hub_model
from keras_mlp.weights.image_shape import with_image_shape
from keras_mlp.weights.preset import Preset
from keras_mlp.weights.tensor_files import SUFFIXES


def from_preset(
    architecture: type[VisionModel],
    preset: str | os.PathLike[str],
    *,
    file: str | os.PathLike[str] | None = None,
    variant: str | None = None,
    file_image_shape: Any = None,
    cache_dir: str | os.PathLike[str] | None = None,
    ema: bool | None = None,
    verbose: bool = True,
    **overrides: Any,
) -> VisionModel:
    """Builds a model of a class and loads published weights: see `VisionModel.from_preset`.

    `ema` is that of `load_checkpoint`.
    """
    if is_address(str(preset)):
        return hub_model(
            architecture,
            str(preset),
            file=file,
            variant=variant,
            file_image_shape=file_image_shape,
            cache_dir=cache_dir,
            ema=ema,
            verbose=verbose,
            **overrides,
        )
    read = functools.partial(
        recognise,
        ema=check_optional("ema", ema, check_bool),
        say=functools.partial(_say, verbose=verbose),
    )
    if not isinstance(preset, str):
        preset = check_path("preset", preset)
    check_optional("file", None if file == "" else file, check_path)
    check_optional("cache_dir", cache_dir, check_path)
    if _is_path(preset):
        if file_image_shape is not None:
            file_image_shape = check_image_shape(file_image_shape, "file_image_shape")
        return _from_file(architecture, preset, variant, file_image_shape, read, verbose, overrides)
    preset = str(preset)
    row = find_preset(preset)
    if file_image_shape is not None:
        raise ValueError(
            f"`file_image_shape`={file_image_shape!r} is for a file given by its path: the "
            f"catalogue states that of {row.name}, {row.constructor_arguments()['image_shape']}."
        )
    if variant is not None:
        raise ValueError(f"`variant`={variant!r}: {row.name} is {row.variant}.")
    architecture = _architecture_of(row, architecture)
    image_shape = _image_shape(row, overrides.pop("image_shape", None))
    arguments = {**row.constructor_arguments(), **overrides}
    model = blank_model(architecture.from_variant, row.variant, **arguments)
    if not file:
        file = cache_folder(cache_dir) / f"{row.name}{row.suffix}"
        if not file.is_file():
            _in_shape(model, image_shape)  # raises before a download what it would raise after
        _bring(row, file, verbose)
    _load(model, read(model, file), verbose)
    if model.include_top and model.num_classes == row.num_classes:
        model.class_names = names_of(row.num_classes)
    model.weights_source = row.name
    if row.note is not None:
        _say(f"{row.name}: {row.note}", verbose)
    return _in_shape(model, image_shape)


# `VisionModel.from_preset` calls it: models must not import weights.
VisionModel.preset_builder = staticmethod(from_preset)


def _say(text: str, verbose: bool) -> None:
    if verbose:
        print(text, file=sys.stderr)


def _is_path(preset: str | os.PathLike[str]) -> bool:
    """Whether it is meant as the path of a file, rather than as a name or an address."""
    if isinstance(preset, os.PathLike):
        return True
    text = str(preset)
    if "://" in text:
        return False
    # Repositories have names with a "/" too, such as "timm/mixer_b16_224.goog_in21k".
    return text.endswith(SUFFIXES) or text.startswith((".", os.sep, "~")) or os.path.exists(text)


def _from_file(
    architecture: type[VisionModel],
    path: str | os.PathLike[str],
    variant: str | None,
    file_image_shape: tuple[int, int, int] | None,
    read: Callable[..., Checkpoint],
    verbose: bool,
    overrides: dict[str, Any],
) -> VisionModel:
    if architecture is VisionModel:
        raise ValueError(f"{path}: call `from_preset` of an architecture, such as MLPMixer.")
    if variant is None and not overrides:
        names = ", ".join(map(repr, architecture.variants))
        raise ValueError(f"`variant` or the sizes must be given for a file; variants: {names}.")
    image_shape = overrides.get("image_shape", file_image_shape)
    if file_image_shape is not None:
        overrides = {**overrides, "image_shape": file_image_shape}
    if variant is None:
        model = blank_model(architecture, **overrides)
    elif "image_shape" in overrides and file_image_shape is None:
        return _in_another_shape(architecture, path, variant, read, verbose, overrides)
    else:
        model = blank_model(architecture.from_variant, variant, **overrides)
    model = _load(model, read(model, path), verbose)
    return model if image_shape is None else _in_shape(model, check_image_shape(image_shape))


def _in_another_shape(
    architecture: type[VisionModel],
    path: str | os.PathLike[str],
    variant: str,
    read: Callable[..., Checkpoint],
    verbose: bool,
    overrides: dict[str, Any],
) -> VisionModel:
    """Returns the model in a file of any image shape, resized to the requested one."""
    check_choice("variant", variant, architecture.variants)
    model = blank_model(architecture.from_variant, variant, **overrides)
    checkpoint, image_shape = read(model, path), model.image_shape
    own = shape_in_file(model, checkpoint) or (
        *architecture.variants[variant]["image_shape"][:2],
        image_shape[-1],
    )
    if own != image_shape:
        overrides = {**overrides, "image_shape": own}
        model = blank_model(architecture.from_variant, variant, **overrides)
    return _in_shape(_load(model, checkpoint, verbose), image_shape)


def _in_shape(model: VisionModel, image_shape: tuple[int, int, int]) -> VisionModel:
    return model if image_shape == model.image_shape else with_image_shape(model, image_shape)


def _load(model: VisionModel, checkpoint: Checkpoint, verbose: bool) -> VisionModel:
    """Loads the weights of a file, without the head if the number of classes differs."""
    classes = checkpoint.num_classes(model)
    fits = model.include_top and model.num_classes == classes
    place(model, checkpoint, include_head=fits)
    if model.include_top and not fits:
        text = f"its classifier of {classes or 'no'} classes was not loaded; the one of "
        _say(f"{checkpoint.path}: {text}{model.num_classes} is new.", verbose)
    return model


def _architecture_of(row: Preset, architecture: type[VisionModel]) -> type[VisionModel]:
    owner = ARCHITECTURES[row.architecture]
    if not issubclass(owner, architecture):
        raise ValueError(
            f"`preset`={row.name!r} holds weights of {row.architecture}, not of "
            f"{architecture.__name__}: call {row.architecture}.from_preset."
        )
    return owner


def _image_shape(row: Preset, image_shape: Any) -> tuple[int, int, int]:
    """Returns the requested image shape, or the published one for None."""
    published: tuple[int, int, int] = row.constructor_arguments()["image_shape"]
    return published if image_shape is None else check_image_shape(image_shape)


def _bring(row: Preset, path: pathlib.Path, verbose: bool) -> None:
    """Downloads the file of a preset if it is not at `path`."""
    if row.url is None and not path.is_file():
        raise OSError(
            f"{row.name} cannot be downloaded by a program: get it at {row.page} and pass its "
            f"path as `file`, or save it as {path}."
        )
    download(row.url or "", path, sha256=row.sha256, verbose=verbose)
