"""Files of named tensors, read without running anything that they carry."""

import os
import warnings
import zipfile
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import safetensors.numpy

from keras_mlp.arguments import check_path
from keras_mlp.typing import Array
from keras_mlp.weights.refusal import RefusedFileError
from keras_mlp.weights.size_limit import check_size, size_of
from keras_mlp.weights.torch_files import read_torch

_TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".tar")
SUFFIXES = (".npz", ".safetensors", *_TORCH_SUFFIXES)


def read_tensors(
    path: str | os.PathLike[str],
    ema: bool | None = None,
    say: Callable[[str], object] = warnings.warn,
) -> dict[str, Array]:
    """Reads a `.npz`, `.safetensors` or PyTorch file.

    Args:
        path: path of the file; PyTorch files end in .pth, .pt, .bin or .tar.
        ema: which weights to take from a PyTorch training state: True for the exponential moving
            average, False for the plain ones, None for the average if there is one.
        say: called with a sentence if the file holds both and `ema` is None.

    Returns:
        A dict from tensor name to numpy array.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is of another kind, is damaged, carries code, does not hold the weights
            that `ema` asks for, or its tensors need more than 1 GiB of memory and more than 8 times
            the size of the file.
    """
    path = check_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint file at {path}.")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is not a checkpoint of a known kind: {', '.join(SUFFIXES)}.")
    try:
        if path.suffix in _TORCH_SUFFIXES:
            return read_torch(path, ema, say)
        if ema:
            raise RefusedFileError("`ema` is True and it holds no averaged (EMA) weights.")
        return read_npz(path) if path.suffix == ".npz" else safetensors.numpy.load_file(path)
    except RefusedFileError as error:
        raise ValueError(f"{path} is refused: {error}") from error
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error


def read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Reads a `.npz` file.

    Args:
        path: path of the file.

    Returns:
        A dict from name to array.

    Raises:
        ValueError: the file is not an archive of arrays, or they need too much memory. Damaged
            bytes raise other errors too.
    """
    # Opened here: numpy leaves the file open if it turns out damaged.
    with open(path, "rb") as stream:
        if not zipfile.is_zipfile(stream):
            raise ValueError("it is not an archive of arrays.")
        _check_sizes(stream)
        stream.seek(0)
        # Without pickle an array of Python objects is refused rather than run.
        archive = np.load(stream, allow_pickle=False)
        return {name: archive[name] for name in archive.files}


def _check_sizes(stream: BinaryIO) -> None:
    """Refuses an archive by what its headers say: numpy would allocate it before reading."""
    file_size = os.fstat(stream.fileno()).st_size
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len({_name(each) for each in members}) < len(members):
            raise ValueError("it holds two arrays with the same name.")
        check_size(sum(each.file_size for each in members), file_size)
        check_size(sum(_array_size(archive, each) for each in members), file_size)


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _array_size(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Returns the bytes that an array needs, without reading it."""
    with archive.open(member) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            shape, _, dtype = _HEADERS[version](stream)
        except (ValueError, KeyError) as error:
            raise ValueError(f"its member {_name(member)} is not an array.") from error
    return size_of(shape, dtype.itemsize)


# By the version of numpy's format. Version 3 is for structured arrays with names beyond Latin-1.
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
