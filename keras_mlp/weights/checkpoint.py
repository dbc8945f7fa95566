"""Published checkpoints into our models: every tensor placed and checked, or nothing changed."""

import dataclasses
import fnmatch
import re

from keras_mlp.arguments import describe_choices
from keras_mlp.models.checkpoint_layout import Converted
from keras_mlp.weights.tensor_files import read_tensors

_BLOCK = re.compile(r"block_(\d+)")


def load_checkpoint(model, path):
    """Loads a published checkpoint into a model of ours.

    The naming is recognised by itself. The model must have the checkpoint's sizes; which image
    normalisation and which GELU it wants is the model's business (see its arguments).

    Args:
        model: a `VisionModel`, such as `MLPMixer`.
        path: a `.npz` or `.safetensors` file in a published naming.

    Returns:
        The name of the naming, such as "timm".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, its naming is unknown, or tensors are missing, unused, of
            another shape or no floating-point numbers; all of them are listed, and the model is
            left as it was.

    Example:

    >>> load_checkpoint(MLPMixer.from_variant("B/16"), "Mixer-B_16.npz")  # doctest: +SKIP
    'google'
    """
    tensors = _without_wrapper(read_tensors(path))
    source, layout = _recognise(model, tensors, path)
    origins = {weight.path: _origin(weight.path, layout) for weight in model.weights}
    arrays, problems = {}, []
    for weight in model.weights:
        origin = origins[weight.path]
        if origin.name not in tensors:
            problems.append(f"missing: {origin.name} (for {weight.path})")
            continue
        arrays[weight.path] = _to_keras(tensors[origin.name], origin, tuple(weight.shape))
        problems += _misfits(tensors[origin.name], arrays[weight.path], weight, origin)
    problems += [f"unused: {name}" for name in _unused(tensors, origins.values(), layout)]
    if problems:
        raise ValueError(
            f"{path} ({source} naming) does not fit {model.name}; nothing was loaded. "
            f"{len(problems)} problems:\n  " + "\n  ".join(problems)
        )
    for weight in model.weights:
        weight.assign(arrays[weight.path])
    return source


def _without_wrapper(tensors):
    """The tensors without the "module." that PyTorch's data-parallel wrapper puts before names."""
    if not all(name.startswith("module.") for name in tensors):
        return tensors
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _recognise(model, tensors, path):
    """The layout of the model's architecture that shares most names with the file."""
    layouts = getattr(model, "checkpoint_layouts", {})
    if not layouts:
        raise ValueError(f"{model.name} is not a keras_mlp model: no published naming is known.")

    def shared(source):
        layout = layouts[source]
        paths = [w.path for w in model.weights if _key(w.path, layout) in layout.names]
        return len({_origin(path, layout).name for path in paths} & tensors.keys())

    source = max(layouts, key=shared)
    if shared(source) == 0:
        found = ", ".join(sorted(tensors)[:3]) or "no tensor at all"
        raise ValueError(
            f"{path} is in no naming known for {type(model).__name__} ({', '.join(layouts)}): it "
            f"holds {found}."
        )
    return source, layouts[source]


def _origin(weight_path, layout):
    """The published tensor that a weight comes from, as a `Converted`."""
    block, key = _BLOCK.search(weight_path), _key(weight_path, layout)
    if key not in layout.names:
        hint = describe_choices(key, layout.names)
        raise ValueError(f"The weight {weight_path} has no published name. {hint}")
    origin = layout.names[key]
    if isinstance(origin, str):
        is_kernel = weight_path.endswith("/kernel")
        origin = Converted(origin, _from_torch if layout.torch and is_kernel else _unchanged)
    return dataclasses.replace(origin, name=origin.name.format(i=block.group(1) if block else ""))


def _key(weight_path, layout):
    """What a layout's table calls the weight: its path, or that with {i} for the block."""
    return weight_path if weight_path in layout.names else _BLOCK.sub("block_{i}", weight_path)


def _unchanged(array):
    return array


def _from_torch(array):
    """Linear (out, in) and convolution (out, in, h, w) kernels, turned round."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def _unused(tensors, origins, layout):
    left = tensors.keys() - {origin.name for origin in origins}
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
    return lines
