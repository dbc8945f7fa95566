"""Published checkpoints into our models: every tensor placed and checked, or nothing changed."""

import dataclasses
import fnmatch

import numpy as np

from keras_mlp.models.checkpoint_layout import CheckpointLayout
from keras_mlp.models.layer_changes import has_lora, is_quantized, layers_by_path
from keras_mlp.weights.plain_names import plain_names
from keras_mlp.weights.tensor_files import read_tensors


def load_checkpoint(model, path, *, include_head=True):
    """Loads a published checkpoint into a model of ours.

    The naming is recognised by itself. The model must have the checkpoint's sizes; which image
    normalisation and which GELU it wants is the model's business (see its arguments).

    Args:
        model: a `VisionModel`, such as `MLPMixer`.
        path: a file in a published naming: `.npz`, `.safetensors`, or PyTorch's `.pth`, `.pt`,
            `.bin` or `.tar`, which is read without PyTorch and without running what it carries.
        include_head: False leaves the model's classifier, if it has one, as it is and passes over
            the file's, which may be for other classes.

    Returns:
        The name of the naming, such as "timm".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or carries code, its naming is unknown, or tensors are
            missing, unused, of another shape, not finite or no floating-point numbers, or the file
            shows another number of heads; all of that is listed, and the model is left as it was.
            Or the model is quantized or has LoRA factors: it takes checkpoints before, not after.

    Example:

    >>> load_checkpoint(MLPMixer.from_variant("B/16"), "Mixer-B_16.npz")  # doctest: +SKIP
    'google'
    """
    return place(model, recognise(model, path), include_head)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A file whose naming is known.

    Attributes:
        path: of the file.
        source: name of the naming.
        layout: of that naming, for one model.
        tensors: dict from name to numpy array.
    """

    path: str
    source: str
    layout: CheckpointLayout
    tensors: dict

    def num_classes(self, model):
        """How many classes the classifier in the file has; None without one."""
        bias = self.tensors.get(self.layout.origin("head/bias", model).name)
        return None if bias is None else bias.size


def recognise(model, path):
    """Reads a file and finds the naming that shares most names with it, as a `Checkpoint`."""
    layouts = getattr(model, "checkpoint_layouts", {})
    if not layouts:
        raise ValueError(f"{model.name} is not a keras_mlp model: no published naming is known.")
    tensors = plain_names(read_tensors(path))
    found = [
        Checkpoint(path, source, layout, layout.prepare(tensors))
        for source, layout in layouts.items()
    ]
    best = max(found, key=lambda checkpoint: _shared(model, checkpoint))
    if _shared(model, best) == 0:
        names = ", ".join(sorted(tensors)[:3]) or "no tensor at all"
        raise ValueError(
            f"{path} is in no naming known for {type(model).__name__} ({', '.join(layouts)}): it "
            f"holds {names}."
        )
    return best


def _shared(model, checkpoint):
    """The number of the model's weights that the file has under this naming."""
    layout = checkpoint.layout
    paths = [w.path for w in model.weights if layout.row(w.path) is not None]
    return len({layout.origin(path, model).name for path in paths} & checkpoint.tensors.keys())


def place(model, checkpoint, include_head):
    """Loads a checkpoint whole, or raises ValueError; see `load_checkpoint`."""
    _check_plain(model)
    layout, tensors = checkpoint.layout, checkpoint.tensors
    weights = [each for each in model.weights if include_head or not _is_head(each.path)]
    arrays, problems = _converted(model, weights, layout, tensors)
    used = {layout.origin(weight.path, model).name for weight in weights}
    if not include_head:
        used |= {layout.origin(f"head/{kind}", model).name for kind in ("kernel", "bias")}
    problems += [f"unused: {name}" for name in _unused(tensors, used, layout)]
    problems += layout.check(model, tensors)
    if problems:
        raise ValueError(
            f"{checkpoint.path} ({checkpoint.source} naming) does not fit {model.name}; nothing "
            f"was loaded. {len(problems)} problems:\n  " + "\n  ".join(problems)
        )
    for weight in weights:
        weight.assign(arrays[weight.path])
    return checkpoint.source


def _check_plain(model):
    for path, layer in layers_by_path(model).items():
        if is_quantized(layer) or has_lora(layer):
            change = "is quantized" if is_quantized(layer) else "has LoRA factors"
            raise ValueError(
                f"`model` {model.name} takes no checkpoint any more: its layer {path} {change}. "
                "Load the checkpoint first."
            )


def _converted(model, weights, layout, tensors):
    """Arrays for the weights, by path, and lines of the error for those that there are none for."""
    arrays, problems = {}, []
    for weight in weights:
        origin = layout.origin(weight.path, model)
        if origin.name not in tensors:
            problems.append(f"missing: {origin.name} (for {weight.path})")
            continue
        arrays[weight.path] = _to_keras(tensors[origin.name], origin, tuple(weight.shape))
        problems += _misfits(tensors[origin.name], arrays[weight.path], weight, origin)
    return arrays, problems


def _is_head(weight_path):
    return weight_path.startswith("head/")


def _unused(tensors, used, layout):
    left = tensors.keys() - used
    return sorted(n for n in left if not any(fnmatch.fnmatch(n, each) for each in layout.ignored))


def _to_keras(array, origin, shape):
    """The array for a weight, or None where the tensor's shape does not let itself be converted."""
    try:
        return origin.convert(array, shape) if origin.takes_shape else origin.convert(array)
    except (ValueError, IndexError):
        return None


def _misfits(tensor, array, weight, origin):
    """What keeps a tensor from becoming this weight, as lines of the error."""
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


def _is_finite(tensor):
    with np.errstate(over="ignore"):  # a number of float64 may be too large
        return np.isfinite(tensor.astype("float32")).all()
