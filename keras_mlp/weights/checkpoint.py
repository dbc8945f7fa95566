"""Loads published checkpoints: every tensor is placed and checked, or nothing changes."""

import dataclasses
import fnmatch
import os
import pathlib
import warnings
from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_mlp.arguments import check_bool, check_class_names, check_optional
from keras_mlp.layers.layer_changes import has_lora, is_quantized, layers_by_path
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted
from keras_mlp.typing import Array, Shape
from keras_mlp.weights.input_channels import fit_channels
from keras_mlp.weights.own_metadata import stated
from keras_mlp.weights.plain_names import plain_names
from keras_mlp.weights.quick_gelu import refuse_quick_gelu
from keras_mlp.weights.tensor_files import read_tensors


def load_checkpoint(
    model: VisionModel,
    path: str | os.PathLike[str],
    *,
    include_head: bool = True,
    ema: bool | None = None,
) -> str:
    """Loads a published checkpoint into a model.

    The naming is detected. The model must have the checkpoint's sizes, but may have another number
    of image channels: the first kernel is then summed over its channels for one channel, otherwise
    repeated and rescaled, as in timm. Image normalisation and the kind of GELU are arguments of the
    model. With the classifier of a file by `save_checkpoint` come its `class_names`.

    Args:
        model: a `VisionModel`, such as `MLPMixer`.
        path: a file in a published naming: `.npz`, `.safetensors`, or PyTorch's `.pth`, `.pt`,
            `.bin` or `.tar`, which is read without PyTorch and without running what it carries.
        include_head: False to keep the model's classifier, if it has one, and ignore the file's,
            which may be for other classes.
        ema: which weights to load from a PyTorch training state: True for their exponential moving
            average ("model_ema" or "state_dict_ema"), False for the plain ones ("model" or
            "state_dict"), None for the average if there is one, with a warning if there are both.

    Returns:
        The name of the naming, such as "timm".

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, carries code, has an unknown naming or not the weights that
            `ema` asks for, is known to be of a model with QuickGELU, or its tensors need more than
            1 GiB of memory and more than 8 times the file's size; or tensors are missing, unused,
            of another shape, not finite or not floating point, or the file has another number of
            heads. All problems are listed, and the model is not changed. Or the model is quantized
            or has LoRA factors: load the checkpoint before.

    Example:

    >>> load_checkpoint(MLPMixer.from_variant("B/16"), "Mixer-B_16.npz")  # doctest: +SKIP
    'google'
    """
    ema = check_optional("ema", ema, check_bool)
    check_bool("include_head", include_head)
    if not isinstance(model, keras.Model):
        check_model(model)
    return place(model, recognise(model, path, ema), include_head)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A file whose naming is known.

    Attributes:
        path: path of the file.
        source: name of the naming.
        layout: layout of this naming, for one model.
        tensors: the tensors by name.
    """

    path: str | os.PathLike[str]
    source: str
    layout: CheckpointLayout
    tensors: dict[str, Array]

    def num_classes(self, model: VisionModel) -> int | None:
        """Returns the number of classes of the classifier in the file; None without one."""
        bias = self.tensors.get(self.layout.origin("head/bias", model).name)
        return None if bias is None else bias.size


def recognise(
    model: VisionModel,
    path: str | os.PathLike[str],
    ema: bool | None = None,
    say: Callable[[str], object] = warnings.warn,
) -> Checkpoint:
    """Reads a file and finds the naming with the most names in common; see `read_tensors`."""
    layouts = getattr(model, "checkpoint_layouts", {})
    if not layouts and any(isinstance(layer, Block) for layer in model.layers):
        check_model(model)  # says how a model loses its class
    if not layouts:
        raise ValueError(f"{model.name} is not a keras_mlp model: it has no published naming.")
    tensors = plain_names(read_tensors(path, ema, say))
    refuse_quick_gelu(path, tensors, getattr(model, "quick_gelu", False))
    found = [
        Checkpoint(path, source, layout, layout.prepare(tensors))
        for source, layout in layouts.items()
    ]
    best = max(found, key=lambda checkpoint: _shared(model, checkpoint))
    if _shared(model, best) == 0:
        names = ", ".join(sorted(tensors)[:3]) or "no tensors"
        raise ValueError(
            f"{path} is not in a naming known for {type(model).__name__} ({', '.join(layouts)}): "
            f"it holds {names}."
        )
    return best


def _shared(model: VisionModel, checkpoint: Checkpoint) -> int:
    """Returns the number of the model's weights that the file has under this naming."""
    layout = checkpoint.layout
    paths = [w.path for w in model.weights if layout.row(w.path) is not None]
    return len({layout.origin(path, model).name for path in paths} & checkpoint.tensors.keys())


def place(model: VisionModel, checkpoint: Checkpoint, include_head: bool) -> str:
    """Loads all of a checkpoint, or raises ValueError; see `load_checkpoint`."""
    _check_plain(model)
    layout, tensors = checkpoint.layout, checkpoint.tensors
    weights = [each for each in model.weights if include_head or not _is_head(each.path)]
    arrays, problems = _converted(model, weights, layout, tensors)
    used = {layout.origin(weight.path, model).name for weight in weights}
    # A classifier that is left out may be one that the model does not have.
    left_out = {each.path for each in model.weights if _is_head(each.path)}
    if not include_head:
        left_out |= {"head/kernel", "head/bias"}
    used |= {layout.origin(path, model).name for path in left_out}
    problems += [f"unused: {name}" for name in _unused(tensors, used, layout)]
    problems += layout.check(model, tensors)
    if problems:
        raise ValueError(
            f"{checkpoint.path} ({checkpoint.source} naming) does not fit {model.name}; nothing "
            f"was loaded. {len(problems)} problems:\n  " + "\n  ".join(problems)
        )
    names = _class_names(model, checkpoint.path) if include_head else None
    for weight in weights:
        weight.assign(arrays[weight.path])
    if names is not None:
        model.class_names = names
    model.weights_source = pathlib.Path(checkpoint.path).name
    return checkpoint.source


def _class_names(model: VisionModel, path: str | os.PathLike[str]) -> tuple[str, ...] | None:
    """The names of the classes that the file's classifier has, if it states them."""
    logits = model.logits
    if logits is None:
        return None
    return stated(
        path, "class_names", lambda names: check_class_names(names, model.name, logits.shape)
    )


def _check_plain(model: VisionModel) -> None:
    for path, layer in layers_by_path(model).items():
        if is_quantized(layer) or has_lora(layer):
            change = "is quantized" if is_quantized(layer) else "has LoRA factors"
            raise ValueError(
                f"`model` {model.name} cannot load a checkpoint: its layer {path} {change}. "
                "Load the checkpoint first."
            )


def _converted(
    model: VisionModel,
    weights: Sequence[keras.Variable],
    layout: CheckpointLayout,
    tensors: dict[str, Array],
) -> tuple[dict[str, Array | None], list[str]]:
    """Returns arrays for the weights by path, and a line of the error per problem."""
    origins = {weight.path: layout.origin(weight.path, model) for weight in weights}
    arrays = {
        weight.path: _to_keras(tensors[origins[weight.path].name], origins[weight.path], weight)
        for weight in weights
        if origins[weight.path].name in tensors
    }
    fit_channels(model, arrays)
    problems: list[str] = []
    for weight in weights:
        origin = origins[weight.path]
        if origin.name not in tensors:
            problems.append(f"missing: {origin.name} (for {weight.path})")
        else:
            problems += _misfits(tensors[origin.name], arrays[weight.path], weight, origin)
    return arrays, problems


def _is_head(weight_path: str) -> bool:
    return weight_path.startswith("head/")


def _unused(tensors: dict[str, Array], used: set[str], layout: CheckpointLayout) -> list[str]:
    left = tensors.keys() - used
    return sorted(n for n in left if not any(fnmatch.fnmatch(n, each) for each in layout.ignored))


def _to_keras(array: Array, origin: Converted, weight: keras.Variable) -> Array | None:
    return converted(array, origin, tuple(weight.shape))


def converted(array: Array, origin: Converted, shape: Shape) -> Array | None:
    """Returns the array for a weight; None if the tensor's shape cannot be converted."""
    try:
        return origin.convert(array, shape) if origin.takes_shape else origin.convert(array)
    except (ValueError, IndexError):
        return None


def _misfits(
    tensor: Array, array: Array | None, weight: keras.Variable, origin: Converted
) -> list[str]:
    """Returns why a tensor cannot become this weight, as lines of the error."""
    shape, lines = tuple(weight.shape), []
    if array is None:
        lines.append(f"shape: {origin.name} {tensor.shape} cannot become {weight.path} {shape}")
    elif array.shape != shape:
        lines.append(f"shape: {origin.name} gives {array.shape}, {weight.path} takes {shape}")
    if not tensor.dtype.name.startswith(("float", "bfloat")):
        kind = tensor.dtype.name
        lines.append(f"kind: {origin.name} holds {kind}, {weight.path} takes floating point")
    elif not _is_finite(tensor):
        lines.append(f"values: {origin.name} holds numbers that are not finite in float32")
    return lines


def _is_finite(tensor: Array) -> bool:
    with np.errstate(over="ignore"):  # a float64 number may be too large
        return bool(np.isfinite(tensor.astype("float32")).all())
