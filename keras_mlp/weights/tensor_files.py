"""Files of named tensors, read without running anything that they carry."""

import pathlib
import zipfile

import numpy as np
import safetensors
import safetensors.numpy


def read_tensors(path):
    """Reads a `.npz` or `.safetensors` file.

    Args:
        path: of the file.

    Returns:
        A dict from tensor name to numpy array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, or damaged.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint file at {path}.")
    readers = {".npz": _read_npz, ".safetensors": safetensors.numpy.load_file}
    if path.suffix not in readers:
        raise ValueError(f"{path} is not a checkpoint of a known kind: {', '.join(readers)}.")
    damage = (safetensors.SafetensorError, zipfile.BadZipFile, ValueError, EOFError, OSError)
    try:
        return readers[path.suffix](path)
    except damage as error:
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error


def _read_npz(path):
    # Without pickle an array of Python objects is refused rather than run.
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
