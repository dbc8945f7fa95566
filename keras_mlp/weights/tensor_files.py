"""Files of named tensors, read without running anything that they carry."""

import pathlib

import numpy as np
import safetensors
import safetensors.numpy

from keras_mlp.weights.torch_files import ForbiddenGlobalError, read_torch

_TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".tar")
SUFFIXES = (".npz", ".safetensors", *_TORCH_SUFFIXES)


def read_tensors(path):
    """Reads a `.npz`, `.safetensors` or PyTorch file.

    Args:
        path: of the file; PyTorch's end in .pth, .pt, .bin or .tar.

    Returns:
        A dict from tensor name to numpy array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, damaged, or carries code.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint file at {path}.")
    readers = {".npz": _read_npz, ".safetensors": safetensors.numpy.load_file}
    readers |= dict.fromkeys(_TORCH_SUFFIXES, read_torch)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is not a checkpoint of a known kind: {', '.join(SUFFIXES)}.")
    try:
        return readers[path.suffix](path)
    except ForbiddenGlobalError as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error


def _read_npz(path):
    # Opened here: numpy leaves the file open if it turns out damaged.
    with open(path, "rb") as stream:
        # Without pickle an array of Python objects is refused rather than run.
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is no archive of arrays.")
        if len(set(archive.files)) < len(archive.files):
            raise ValueError("it holds two arrays of one name.")
        arrays = {name: archive[name] for name in archive.files}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its member {name} is no array.")
    return arrays
