"""A model with published weights, by their name or from a file."""

import inspect
import os
import sys

from keras_mlp.arguments import check_choice, check_image_shape
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.weights.catalogue import find_preset
from keras_mlp.weights.checkpoint import place, recognise
from keras_mlp.weights.download import cache_folder, download
from keras_mlp.weights.file_image_shape import file_image_shape
from keras_mlp.weights.image_shape import with_image_shape
from keras_mlp.weights.tensor_files import SUFFIXES


def from_preset(
    architecture, preset, *, file=None, variant=None, cache_dir=None, verbose=True, **overrides
):
    """Builds a model of a class and loads published weights: see `VisionModel.from_preset`."""
    if _is_path(preset):
        return _from_file(architecture, preset, variant, verbose, overrides)
    row = find_preset(preset)
    if variant is not None:
        raise ValueError(f"`variant`={variant!r}: {row.name} says itself that it is {row.variant}.")
    architecture = _architecture_of(row, architecture)
    image_shape = _image_shape(row, overrides.pop("image_shape", None))
    arguments = {**row.constructor_arguments(), **overrides}
    model = architecture.from_variant(row.variant, **arguments)
    if not file:
        file = cache_folder(cache_dir) / f"{row.name}{row.suffix}"
        if not file.is_file():
            _in_shape(model, image_shape)  # refuses before a download what it would refuse after
        _bring(row, file, verbose)
    _load(model, recognise(model, file), verbose)
    if verbose and row.note is not None:
        print(f"{row.name}: {row.note}", file=sys.stderr)
    return _in_shape(model, image_shape)


# What `VisionModel.from_preset` calls: models are below weights and must not import them.
VisionModel.preset_builder = staticmethod(from_preset)


def _is_path(preset):
    text = os.fspath(preset) if isinstance(preset, os.PathLike) else str(preset)
    return isinstance(preset, os.PathLike) or os.sep in text or text.endswith(SUFFIXES)


def _from_file(architecture, path, variant, verbose, overrides):
    if architecture is VisionModel:
        raise ValueError(f"{path}: call `from_preset` of an architecture, such as MLPMixer.")
    if variant is None and not overrides:
        names = ", ".join(map(repr, architecture.variants))
        raise ValueError(f"`variant` or the sizes must be given for a file; variants: {names}.")
    if variant is None:
        model = architecture(**overrides)
    elif "image_shape" in overrides:
        return _in_another_shape(architecture, path, variant, verbose, overrides)
    else:
        model = architecture.from_variant(variant, **overrides)
    return _load(model, recognise(model, path), verbose)


def _in_another_shape(architecture, path, variant, verbose, overrides):
    """The model in a file, whichever images it is for, made to fit those that are asked for."""
    check_choice("variant", variant, architecture.variants)
    model = architecture.from_variant(variant, **overrides)
    checkpoint, image_shape = recognise(model, path), model.image_shape
    own = file_image_shape(model, checkpoint) or _shape_of(architecture, variant)
    if own != image_shape:
        model = architecture.from_variant(variant, **{**overrides, "image_shape": own})
    return _in_shape(_load(model, checkpoint, verbose), image_shape)


def _shape_of(architecture, variant):
    """The shape of the images that a variant is for."""
    default = inspect.signature(architecture.__init__).parameters["image_shape"].default
    return architecture.variants[variant].get("image_shape", default)


def _in_shape(model, image_shape):
    return model if image_shape == model.image_shape else with_image_shape(model, image_shape)


def _load(model, checkpoint, verbose):
    """The model with the weights of a file; of another number of classes, all but the head."""
    classes = checkpoint.num_classes(model)
    fits = model.include_top and model.num_classes == classes
    place(model, checkpoint, include_head=fits)
    if verbose and model.include_top and not fits:
        print(
            f"{checkpoint.path}: its classifier of {classes or 'no'} classes was not loaded; the "
            f"one of {model.num_classes} is new.",
            file=sys.stderr,
        )
    return model


def _architecture_of(row, architecture):
    owner = ARCHITECTURES[row.architecture]
    if not issubclass(owner, architecture):
        raise ValueError(
            f"`preset`={row.name!r} holds weights of {row.architecture}, not of "
            f"{architecture.__name__}: call {row.architecture}.from_preset."
        )
    return owner


def _image_shape(row, image_shape):
    """The shape of the images that the model shall take, checked."""
    published = row.constructor_arguments()["image_shape"]
    image_shape = published if image_shape is None else check_image_shape(image_shape)
    if image_shape[-1] != published[-1]:
        raise ValueError(
            f"`image_shape`={image_shape}: {row.name} takes images of {published[-1]} channels."
        )
    return image_shape


def _bring(row, path, verbose):
    """Downloads the file of a row to a path unless it lies there."""
    if row.url is None and not path.is_file():
        raise OSError(
            f"{row.name} cannot be downloaded by a program: get it at {row.page} and give its "
            f"place as `file`, or save it as {path}."
        )
    download(row.url, path, sha256=row.sha256, verbose=verbose)
