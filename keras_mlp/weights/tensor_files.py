"""Files of named tensors, read without running anything that they carry."""

import pathlib

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
    try:
        return readers[path.suffix](path)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error


def _read_npz(path):
    # Opened here: numpy leaves the file open if it turns out damaged.
    with open(path, "rb") as stream:
        # Without pickle an array of Python objects is refused rather than run.
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is no archive of arrays.")
        arrays = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its member {name} is no array.")
    return arrays
