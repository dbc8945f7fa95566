"""Saves models to files in a published naming: the inverse of `load_checkpoint`."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from keras import ops

from keras_mlp.arguments import check_choice, check_path
from keras_mlp.json_files import json_text
from keras_mlp.layers.layer_changes import has_lora, is_quantized, layers_by_path
from keras_mlp.models import VisionModel, check_model
from keras_mlp.typing import Array
from keras_mlp.version import __version__
from keras_mlp.weights.timm_call import timm_call
from keras_mlp.whole_files import whole_file


def save_checkpoint(
    model: VisionModel, path: str | os.PathLike[str], layout: str = "timm"
) -> pathlib.Path:
    """Writes the weights of a model with the names and shapes of a published layout.

    `load_checkpoint` reads the file back bit for bit, and so does the code that the layout comes
    from: timm or the authors'. Only weights are written. Image normalisation and the kind of GELU
    are in the metadata.

    The metadata of a `.safetensors` file are "format", "pt"; "keras_mlp", the version; "layout";
    "architecture", the name of the class; "arguments", its `get_config()` as JSON; and, if the
    layout is timm's and timm has the model, "timm", the call that builds it, as JSON:
    `{"function": "timm.create_model", "arguments": {...}}`. Strings among the arguments that start
    with "timm." name classes.

    Args:
        model: a model of one of the architectures of `keras_mlp`. It is not changed.
        path: file to write, ending in `.safetensors`, or in `.npz`, which Google's code reads (and
            which has no metadata). An existing file is replaced once the new one is complete.
        layout: key of the model's `checkpoint_layouts`, such as "timm".

    Returns:
        `path`, as a `pathlib.Path`. Tensors are float32, or float64 in a float64 model.

    Raises:
        ValueError: the layout does not exist, or the model cannot be written in it (the message
            lists those that it can); the suffix is another; or the model is quantized or has LoRA
            factors.
        OSError: `path` cannot be written.

    Example:

    >>> model = MLPMixer.from_variant("B/16", num_classes=10)  # doctest: +SKIP
    >>> save_checkpoint(model, "mixer.safetensors")  # doctest: +SKIP
    >>> torch_model = timm.create_model("mixer_b16_224", num_classes=10)  # doctest: +SKIP
    >>> torch_model.load_state_dict(load_file("mixer.safetensors"))  # doctest: +SKIP
    """
    _check_model(model)
    path = _check_path(path)
    tensors: dict[str, Any] = _tensors(model, layout)
    with whole_file(path, safetensors.SafetensorError) as file:
        if path.suffix == ".npz":
            np.savez(file, **tensors)
        else:
            safetensors.numpy.save_file(tensors, file, _metadata(model, layout))
    return path


def _check_model(model: VisionModel) -> None:
    check_model(model)
    for path, layer in layers_by_path(model).items():
        if has_lora(layer):
            raise ValueError(
                f"`model` {model.name} has LoRA factors in its layer {path}, which have no "
                "published name: call `keras_mlp.merge_lora` first."
            )
        if is_quantized(layer):
            raise ValueError(
                f"`model` {model.name} is quantized, in its layer {path}: published layouts hold "
                "floating-point numbers. Save the model as it was before quantization."
            )


def _check_path(path: str | os.PathLike[str]) -> pathlib.Path:
    path = check_path("path", path)
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(f"`path` must end in .safetensors or .npz, got {path}.")
    if path.is_dir():
        raise IsADirectoryError(f"`path`={path} is a folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path`={path}: there is no folder {path.parent}.")
    return path


def _tensors(model: VisionModel, layout: str) -> dict[str, Array]:
    """Returns the tensors of a file by name, or raises ValueError that lists the layouts."""
    try:
        check_choice("layout", layout, model.checkpoint_layouts)
        return _inverted(model, layout)
    except ValueError as error:
        writable = ", ".join(map(repr, _writable(model))) or "none"
        reason = str(error).rstrip(".")
        message = f"{reason}. Layouts that {model.name} can be written in: {writable}."
        raise ValueError(message) from error


def _writable(model: VisionModel) -> Iterator[str]:
    for layout in model.checkpoint_layouts:
        try:
            _inverted(model, layout)
        except ValueError:
            continue
        yield layout


def _inverted(model: VisionModel, layout: str) -> dict[str, Array]:
    """Returns the tensors that hold the weights of a model in a layout, contiguous, by name."""
    names = model.checkpoint_layouts[layout]
    weights = sorted(model.weights, key=lambda weight: names.row(weight.path) or 0)
    parts: dict[str, list[Array]] = {}
    for weight in weights:
        origin = names.origin(weight.path, model)
        if origin.invert is None:
            raise ValueError(
                f"`layout`={layout!r} can be read but not written: {origin.name} has more than "
                "one form."
            )
        array = ops.convert_to_numpy(weight)
        array = array.astype(np.promote_types(array.dtype, "float32"), copy=False)
        try:
            parts.setdefault(origin.name, []).append(origin.invert(array, model))
        except ValueError as error:
            raise ValueError(f"`layout`={layout!r} cannot hold {weight.path}: {error}") from error
    return {
        name: np.ascontiguousarray(each[0] if len(each) == 1 else np.concatenate(each))
        for name, each in parts.items()
    }


def _metadata(model: VisionModel, layout: str) -> dict[str, str]:
    metadata = {
        "format": "pt",
        "keras_mlp": __version__,
        "layout": layout,
        "architecture": type(model).__name__,
        "arguments": json_text(model.get_config()),
    }
    call = timm_call(model) if layout == "timm" else None
    return metadata if call is None else {**metadata, "timm": json_text(call)}
