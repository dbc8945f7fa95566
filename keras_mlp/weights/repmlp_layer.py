"""Loads the authors' tensors into a `keras_mlp.layers.RepMLP` of any network."""

import math
import os

import numpy as np

from keras_mlp.arguments import check_bool, check_optional
from keras_mlp.layers import RepMLP
from keras_mlp.typing import Array
from keras_mlp.weights.plain_names import plain_names
from keras_mlp.weights.tensor_files import read_tensors

_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_COUNTER = ".num_batches_tracked"  # PyTorch's; no weight of ours


def load_repmlp(
    layer: RepMLP,
    path: str | os.PathLike[str],
    *,
    prefix: str = "",
    ema: bool | None = None,
) -> None:
    """Loads one RepMLP from a file of its authors' code (arXiv:2105.01883), in either form.

    The file may be of the layer alone or of a whole network: `prefix` is what stands before the
    layer's names there. A layer with `deployed=True` takes a deployed file, any other one the
    training form.

    Args:
        layer: a built `keras_mlp.layers.RepMLP`.
        path: `.npz`, `.safetensors`, or PyTorch's `.pth`, `.pt`, `.bin` or `.tar`.
        prefix: such as "layer3.1.repmlp."; "" for a file of the layer alone.
        ema: as in `load_checkpoint`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the layer is of another kind or not built, the file cannot be read, or tensors
            are missing, unused, of another shape or not finite. The layer is not changed.

    Example:

    >>> layer = RepMLP(64, partition_size=7)
    >>> layer.build((None, 14, 14, 64))
    >>> load_repmlp(layer, "resnet.pth", prefix="stage3.0.")  # doctest: +SKIP
    """
    if not isinstance(layer, RepMLP):
        raise ValueError(f"`layer` must be a keras_mlp.layers.RepMLP, got {layer!r}.")
    if not layer.built:
        raise ValueError(f"`layer` {layer.name} is not built: call it, or its `build`, first.")
    if not isinstance(prefix, str):
        raise ValueError(f"`prefix` must be a string, got {prefix!r}.")
    ema = check_optional("ema", ema, check_bool)
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in plain_names(read_tensors(path, ema)).items()
        if name.startswith(prefix) and not name.endswith(_COUNTER)
    }
    names = [_name(weight.path) for weight in layer.weights]
    problems = [f"{prefix}{name} is missing" for name in names if name not in tensors]
    problems += [f"{prefix}{name} is unused" for name in sorted(tensors.keys() - set(names))]
    values = []
    for weight, name in zip(layer.weights, names, strict=True):
        if name not in tensors:
            continue
        value = _in_our_axes(tensors[name], name, tuple(weight.shape))
        if value is None:
            problems.append(f"{prefix}{name} has shape {tensors[name].shape}")
        elif not np.isfinite(value).all():
            problems.append(f"{prefix}{name} is not finite")
        else:
            values.append(value)
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" * (len(problems) > 5))
        form = "deployed" if layer.deployed else "training"
        raise ValueError(f"{path} does not fit `layer` {layer.name} in its {form} form: {shown}.")
    layer.set_weights(values)


def _name(path: str) -> str:
    """The authors' name of a weight of ours."""
    part, kind = path.rsplit("/", 2)[-2:]
    if part.endswith("_norm"):
        norm = {"fc3_norm": "fc3_bn", "pool_norm": "avg.bn"}.get(part)
        return f"{norm or 'rep' + part.removesuffix('_norm') + '.bn'}.{_NORM[kind]}"
    if part.startswith("conv"):
        return f"rep{part}.conv.weight"
    suffix = "weight" if kind == "kernel" else "bias"
    return f"fc3.{suffix}" if part == "fc3" else f"fc1_fc2.{part}.{suffix}"


def _in_our_axes(tensor: Array, name: str, shape: tuple[int, ...]) -> Array | None:
    """A tensor of the authors as a weight of a shape; None if it has another one."""
    if name == "fc3.weight":  # a grouped 1 x 1 convolution: (outputs, inputs of a group, 1, ...)
        groups, inputs, outputs = shape
        if tensor.shape[:2] != (groups * outputs, inputs) or tensor.size != math.prod(shape):
            return None
        return tensor.reshape(groups, outputs, inputs).swapaxes(1, 2)
    if name == "fc3.bias":  # ours is (groups, outputs of a group)
        return tensor.reshape(shape) if tensor.shape == (math.prod(shape),) else None
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}.get(len(shape), (0,))
    theirs = tuple(shape[axis] for axis in np.argsort(axes))
    return tensor.transpose(axes) if tensor.shape == theirs else None
