"""PyTorch's files of tensors, read with numpy alone and without running what they carry.

Such a file consists of a pickle, which is a small program, and the raw numbers of its tensors. This
reader knows the few functions that build a tensor and refuses any other that a file asks for.
"""

import collections
import functools
import io
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import IO, Any, BinaryIO

import numpy as np

from keras_mlp.typing import Array
from keras_mlp.weights.refusal import RefusedFileError
from keras_mlp.weights.size_limit import check_size, size_of

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # converted to float32
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
# Settings that training programs store with the weights. They are skipped.
_RECORDS = {("argparse", "Namespace"), ("yacs.config", "CfgNode")}
_CONTAINERS = ("model", "state_dict")
_EMA_CONTAINERS = ("model_ema", "state_dict_ema")
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
# A pickle becomes Python objects, which are many times larger. PyTorch does not compress it.
_LARGEST_PICKLE = 2**24


def read_torch(
    path: str | os.PathLike[str],
    ema: bool | None = None,
    say: Callable[[str], object] = warnings.warn,
) -> dict[str, Array]:
    """Reads a file written by `torch.save`: tensors, or a training state that holds them.

    Args:
        path: path of a file in the zip format, or in the stream format of PyTorch before 1.6.
        ema: which weights to take from a training state: True for the entry "model_ema" or
            "state_dict_ema", the exponential moving average; False for "model" or "state_dict";
            None for the average if there is one.

        say: called with a sentence if the file holds both and `ema` is None.

    Returns:
        A dict from tensor name to numpy array; bfloat16 becomes float32.

    Raises:
        RefusedFileError: the file asks for a function that is not needed to build a tensor, does
            not hold the weights that `ema` asks for, or its tensors need too much memory.
        ValueError: the file does not hold a dict of tensors. Damaged bytes raise other errors too.
    """
    take = functools.partial(_arrays, path=path, ema=ema, say=say)
    with open(path, "rb") as stream:
        return _read_zip(stream, take) if zipfile.is_zipfile(stream) else _read_stream(stream, take)


class _Record(dict[str, Any]):
    """Replaces a record of settings: keeps nothing and runs nothing."""

    def __setstate__(self, state: object) -> None:
        pass


class _Storage:
    """The numbers of one or more tensors, read when they are first used.

    Attributes:
        kind: key of `_STORAGES`.
        read: function that returns the bytes.
    """

    def __init__(self, kind: str, read: Callable[[], bytes] | None = None) -> None:
        self.kind, self.read = kind, read

    @property
    def itemsize(self) -> int:
        """Bytes per number in memory."""
        return 4 if self.kind == "BFloat16Storage" else np.dtype(_STORAGES[self.kind]).itemsize

    @functools.cached_property
    def numbers(self) -> Array:
        """The numbers as a one-dimensional array."""
        if self.read is None:
            raise ValueError("it lacks the numbers of a tensor.")
        numbers = np.frombuffer(self.read(), _STORAGES[self.kind])
        if self.kind != "BFloat16Storage":
            return numbers
        return (numbers.astype("<u4") << 16).view("<f4")  # bfloat16 is the upper half of float32


class _Tensor:
    """A view of a storage."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def size(self) -> int:
        """Returns the bytes of a copy, which may be more than those of the storage."""
        return size_of(self.shape, self.storage.itemsize)

    def array(self) -> Array:
        """Returns the view, or raises ValueError if it leaves the storage."""
        numbers = self.storage.numbers
        if 0 in self.shape:
            return np.zeros(self.shape, numbers.dtype)
        # Unlike `as_strided`, this refuses to read outside the storage.
        return np.ndarray(
            self.shape,
            numbers.dtype,
            buffer=numbers,
            offset=numbers.itemsize * self.offset,
            strides=[numbers.itemsize * stride for stride in self.strides],
        )


class _Unpickler(pickle.Unpickler):
    """Rebuilds dicts, lists, numbers, text and tensors.

    Args:
        stream: the pickle.
        storage_of: returns the storage that a pickle refers to; None to refuse references.
    """

    def __init__(
        self, stream: IO[bytes], storage_of: Callable[..., _Storage] | None = None
    ) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _RECORDS:
            return _Record
        if module == "torch" and name in _STORAGES:
            return name
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch", "Size"): tuple,
            ("torch._utils", "_rebuild_tensor"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): self._rebuild_parameter,
        }
        if (module, name) not in known:
            raise RefusedFileError(
                f"it asks for {module}.{name}, which no tensor needs and which was not run. If you "
                "trust the file, load it with PyTorch and save only its tensors."
            )
        return known[module, name]

    def persistent_load(self, pid: tuple[Any, ...]) -> _Storage:
        if self._storage_of is None or pid[0] != "storage":
            raise ValueError(f"it refers to {pid!r}, which is not a storage.")
        return self._storage_of(*pid[1:])

    def _rebuild_tensor(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)

    def _rebuild_parameter(self, tensor: _Tensor, *_: object) -> _Tensor:
        return tensor


def _read_zip(stream: BinaryIO, take: Callable[[Any], dict[str, Array]]) -> dict[str, Array]:
    """Reads the format since PyTorch 1.6: a pickle and one member per storage."""
    file_size = os.fstat(stream.fileno()).st_size
    with zipfile.ZipFile(stream) as archive:
        check_size(sum(each.file_size for each in archive.infolist()), file_size)
        members = archive.namelist()
        if len(set(members)) < len(members):
            raise ValueError("it holds two members with the same name.")
        pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("this zip archive was not written by PyTorch.")
        folder = pickles[0].partition("/")[0]
        if f"{folder}/byteorder" in members and archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError("its numbers are in big-endian order.")
        if archive.getinfo(pickles[0]).file_size > max(_LARGEST_PICKLE, file_size):
            raise RefusedFileError("its pickle is compressed and too large.")
        storages: dict[str, _Storage] = {}

        def storage_of(kind: str, key: str, device: str, count: int) -> _Storage:
            read = functools.partial(archive.read, f"{folder}/data/{key}")
            return storages.setdefault(key, _Storage(kind, read))

        return take(_Unpickler(archive.open(pickles[0]), storage_of).load())


def _read_stream(stream: BinaryIO, take: Callable[[Any], dict[str, Array]]) -> dict[str, Array]:
    """Reads the format before PyTorch 1.6: several pickles, then all storages."""
    stream.seek(0)
    if _Unpickler(stream).load() != _STREAM_MAGIC:
        raise ValueError("it was not written by PyTorch, or by a version before 0.4.")
    _Unpickler(stream).load()  # the version of the format
    if not _Unpickler(stream).load()["little_endian"]:
        raise ValueError("its numbers are in big-endian order.")
    storages: dict[str, _Storage] = {}

    def storage_of(kind: str, key: str, device: str, count: int, view: object) -> _Storage:
        if view is not None:
            raise ValueError("it holds views of storages, which only PyTorch can read.")
        return storages.setdefault(key, _Storage(kind))

    saved = _Unpickler(stream, storage_of).load()
    for key in _Unpickler(stream).load():
        storage, (count,) = storages[key], struct.unpack("<q", stream.read(8))
        if count < 0:
            raise ValueError(f"it holds a storage of {count} numbers.")
        size = count * np.dtype(_STORAGES[storage.kind]).itemsize
        storage.read = functools.partial(_read_part, stream, stream.tell(), size)
        stream.seek(size, io.SEEK_CUR)
    if stream.tell() > stream.seek(0, io.SEEK_END):
        raise ValueError("it ends too early.")
    return take(saved)


def _read_part(stream: BinaryIO, start: int, size: int) -> bytes:
    stream.seek(start)
    return stream.read(size)


def _arrays(
    saved: Any,
    *,
    path: str | os.PathLike[str],
    ema: bool | None,
    say: Callable[[str], object],
) -> dict[str, Array]:
    """Returns the named tensors of what was saved, as arrays."""
    saved = _chosen(saved, path, ema, say)
    if not isinstance(saved, dict):
        raise ValueError(f"it holds a {type(saved).__name__} instead of named tensors.")
    strangers = [name for name, each in saved.items() if not isinstance(each, _Tensor)]
    if strangers:
        entries = ", ".join(map(repr, strangers[:3]))
        raise ValueError(f"it holds entries that are not tensors, such as {entries}.")
    check_size(sum(tensor.size() for tensor in saved.values()), os.path.getsize(path))
    return {name: tensor.array() for name, tensor in saved.items()}


def _chosen(
    saved: Any, path: str | os.PathLike[str], ema: bool | None, say: Callable[[str], object]
) -> Any:
    """Returns the averaged or the plain weights of a training state; other things as they are."""
    averaged = _entry(saved, _EMA_CONTAINERS)
    plain = _entry(saved, _CONTAINERS)
    if ema and averaged is None:
        raise RefusedFileError("`ema` is True and it holds no averaged (EMA) weights.")
    if averaged is None:
        return saved if plain is None else plain
    if plain is None and ema is False:
        raise RefusedFileError("`ema` is False and it holds only averaged (EMA) weights.")
    if plain is not None and ema is None:
        say(
            f"{path} holds averaged (EMA) and plain weights: the averaged ones were taken. Pass "
            "`ema=False` for the plain ones, or `ema=True` for these without this message."
        )
    return plain if ema is False else averaged


def _entry(saved: Any, containers: tuple[str, ...]) -> dict[str, Any] | None:
    """Returns the innermost of the named dicts; None if there is none, or it is empty."""
    found = None
    for name in containers:
        if isinstance(saved, dict) and isinstance(saved.get(name), dict):
            found = saved = saved[name]
    return found or None
