"""Writes tensors as PyTorch does, without PyTorch, for tests that damage files."""

import math
import zipfile

import numpy as np

_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


def write_torch(tensors, path):
    """Writes a state dict in PyTorch's zip format, one storage per tensor; returns the path.

    tests/weights/test_torch_files.py reads files that PyTorch itself has written.
    """
    return _write(_state_dict(tensors, 0) + ".", list(tensors.values()), path)


def write_training_state(state, path):
    """As `write_torch`, for a dict of state dicts by name."""
    arrays, entries = [], ""
    for name, tensors in state.items():
        entries += f"S'{name}'\n{_state_dict(tensors, len(arrays))}s"
        arrays += tensors.values()
    return _write(f"(d{entries}.", arrays, path)


def _write(pickled, arrays, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        for key, array in enumerate(arrays):
            archive.writestr(f"w/data/{key}", np.ascontiguousarray(array).tobytes())
    return path


def _state_dict(tensors, first_key):
    entries = (_entry(key, *each) for key, each in enumerate(tensors.items(), first_key))
    return f"(d{''.join(entries)}"


def _entry(key, name, array):
    """The part of the pickle that puts one tensor into the dict."""
    strides = [math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim)]
    sizes, steps = ("".join(f"I{n}\n" for n in each) for each in (array.shape, strides))
    return (
        f"S'{name}'\nctorch._utils\n_rebuild_tensor_v2\n"
        f"((S'storage'\nctorch\n{_STORAGES[array.dtype.name]}\nS'{key}'\nS'cpu'\nI{array.size}\ntQ"
        f"I0\n({sizes}t({steps}tI00\nNtRs"
    )
