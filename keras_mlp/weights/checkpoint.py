"""Published checkpoints into our models: every tensor placed and checked, or nothing changed."""

import re

from keras_mlp.arguments import describe_choices
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
    tensors = read_tensors(path)
    source, layout = _recognise(model, tensors, path)
    names = {weight.path: _tensor_name(weight.path, layout) for weight in model.weights}
    arrays, problems = {}, []
    for weight in model.weights:
        name = names[weight.path]
        if name not in tensors:
            problems.append(f"missing: {name} (for {weight.path})")
            continue
        arrays[weight.path] = _to_keras(tensors[name], weight, layout)
        problems += _misfits(name, arrays[weight.path], weight)
    problems += [f"unused: {name}" for name in sorted(tensors.keys() - set(names.values()))]
    if problems:
        raise ValueError(
            f"{path} ({source} naming) does not fit {model.name}; nothing was loaded. "
            f"{len(problems)} problems:\n  " + "\n  ".join(problems)
        )
    for weight in model.weights:
        weight.assign(arrays[weight.path])
    return source


def _recognise(model, tensors, path):
    """The layout of the model's architecture that shares most names with the file."""
    layouts = getattr(model, "checkpoint_layouts", {})
    if not layouts:
        raise ValueError(f"{model.name} is not a keras_mlp model: no published naming is known.")

    def shared(source):
        layout = layouts[source]
        return len({_tensor_name(w.path, layout) for w in model.weights} & tensors.keys())

    source = max(layouts, key=shared)
    if shared(source) == 0:
        found = ", ".join(sorted(tensors)[:3]) or "no tensor at all"
        raise ValueError(
            f"{path} is in no naming known for {type(model).__name__} ({', '.join(layouts)}): it "
            f"holds {found}."
        )
    return source, layouts[source]


def _tensor_name(weight_path, layout):
    block = _BLOCK.search(weight_path)
    key = _BLOCK.sub("block_{i}", weight_path)
    if key not in layout.names:
        hint = describe_choices(key, layout.names)
        raise ValueError(f"The weight {weight_path} has no published name. {hint}")
    return layout.names[key].format(i=block.group(1) if block else "")


def _misfits(name, array, weight):
    """What keeps an array from becoming this weight, as lines of the error."""
    shape, lines = tuple(weight.shape), []
    if array.shape != shape:
        lines.append(f"shape: {name} gives {array.shape}, {weight.path} takes {shape}")
    if not array.dtype.name.startswith(("float", "bfloat")):
        lines.append(f"kind: {name} holds {array.dtype.name}, {weight.path} takes floating point")
    return lines


def _to_keras(array, weight, layout):
    """PyTorch's linear (out, in) and convolution (out, in, h, w) kernels, turned round."""
    is_kernel = weight.path.endswith("/kernel")
    if not layout.torch or not is_kernel or array.ndim not in (2, 4):
        return array
    return array.T if array.ndim == 2 else array.transpose(2, 3, 1, 0)
