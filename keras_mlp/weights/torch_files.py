"""PyTorch's files of tensors, read with numpy alone and without running what they carry.

Such a file is a pickle, a small program, beside the raw numbers of its tensors. The reader here
knows the few functions that put a tensor together and refuses every other that a file asks for.
"""

import collections
import functools
import io
import pickle
import struct
import zipfile

import numpy as np

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # of which float32 is made
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
# What training programs keep beside the weights; only the names inside are ever read.
_RECORDS = {("argparse", "Namespace"), ("yacs.config", "CfgNode")}
_CONTAINERS = ("model", "state_dict")
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C


class ForbiddenGlobalError(ValueError):
    """A file asks for a function that has no part in a tensor."""


def read_torch(path):
    """Reads a file written by `torch.save`, of tensors or of a training state that holds them.

    Args:
        path: of a file in the zip format or in the stream format of PyTorch before 1.6.

    Returns:
        A dict from tensor name to numpy array; bfloat16 becomes float32. Of a training state, the
        entry "model" or "state_dict".

    Raises:
        ForbiddenGlobalError: the file asks for a function that has no part in a tensor.
        ValueError: the file holds no dict of tensors. Damaged bytes raise other errors too.
    """
    with open(path, "rb") as stream:
        return _read_zip(stream) if zipfile.is_zipfile(stream) else _read_stream(stream)


class _Record(dict):
    """Stands for a record of settings: keeps nothing and runs nothing."""

    def __setstate__(self, state):
        pass


class _Storage:
    """The numbers that one or more tensors look at, read when the first of them is wanted.

    Attributes:
        kind: key of `_STORAGES`.
        read: function that gives the bytes.
    """

    def __init__(self, kind, read=None):
        self.kind, self.read = kind, read

    @functools.cached_property
    def numbers(self):
        numbers = np.frombuffer(self.read(), _STORAGES[self.kind])
        if self.kind != "BFloat16Storage":
            return numbers
        return (numbers.astype("<u4") << 16).view("<f4")  # bfloat16 is the upper half of float32


class _Tensor:
    """A view of a storage."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        numbers = self.storage.numbers
        if 0 in self.shape:
            return np.zeros(self.shape, numbers.dtype)
        # Unlike `as_strided` this refuses to look outside of the storage.
        return np.ndarray(
            self.shape,
            numbers.dtype,
            buffer=numbers,
            offset=numbers.itemsize * self.offset,
            strides=[numbers.itemsize * stride for stride in self.strides],
        )


class _Unpickler(pickle.Unpickler):
    """Rebuilds dicts, lists, numbers, text and tensors; `storage_of` finds a tensor's numbers."""

    def __init__(self, stream, storage_of=None):
        super().__init__(stream, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module, name):
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
            raise ForbiddenGlobalError(
                f"it asks for {module}.{name}, which has no part in a tensor, and was not run. If "
                "you trust the file, load it with PyTorch and save its tensors alone."
            )
        return known[module, name]

    def persistent_load(self, pid):
        if self._storage_of is None or pid[0] != "storage":
            raise ValueError(f"it refers to {pid!r}, which is no storage.")
        return self._storage_of(*pid[1:])

    def _rebuild_tensor(self, storage, offset, shape, strides, *_):
        return _Tensor(storage, offset, shape, strides)

    def _rebuild_parameter(self, tensor, *_):
        return tensor


def _read_zip(stream):
    """The format since PyTorch 1.6: a pickle and one member per storage."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.namelist()
        if len(set(members)) < len(members):
            raise ValueError("it holds two members of one name.")
        pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("PyTorch did not write this zip archive.")
        folder = pickles[0].partition("/")[0]
        if f"{folder}/byteorder" in members and archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError("its numbers are in big-endian order.")
        storages = {}

        def storage_of(kind, key, device, count):
            read = functools.partial(archive.read, f"{folder}/data/{key}")
            return storages.setdefault(key, _Storage(kind, read))

        return _tensors_of(_Unpickler(archive.open(pickles[0]), storage_of).load())


def _read_stream(stream):
    """The format before PyTorch 1.6: pickles one after the other, then all storages."""
    stream.seek(0)
    if _Unpickler(stream).load() != _STREAM_MAGIC:
        raise ValueError("PyTorch did not write it, or before version 0.4.")
    _Unpickler(stream).load()  # the version of the format
    if not _Unpickler(stream).load()["little_endian"]:
        raise ValueError("its numbers are in big-endian order.")
    storages = {}

    def storage_of(kind, key, device, count, view):
        if view is not None:
            raise ValueError("it holds views of storages, which only PyTorch can read.")
        return storages.setdefault(key, _Storage(kind))

    saved = _Unpickler(stream, storage_of).load()
    for key in _Unpickler(stream).load():
        storage, (count,) = storages[key], struct.unpack("<q", stream.read(8))
        size = count * np.dtype(_STORAGES[storage.kind]).itemsize
        storage.read = functools.partial(_read_part, stream, stream.tell(), size)
        stream.seek(size, io.SEEK_CUR)
    if stream.tell() > stream.seek(0, io.SEEK_END):
        raise ValueError("it ends too early.")
    return _tensors_of(saved)


def _read_part(stream, start, size):
    stream.seek(start)
    return stream.read(size)


def _tensors_of(saved):
    """The named tensors of what was saved, as arrays."""
    for container in _CONTAINERS:
        if isinstance(saved, dict) and isinstance(saved.get(container), dict):
            saved = saved[container]
    if not isinstance(saved, dict):
        raise ValueError(f"it holds a {type(saved).__name__} instead of named tensors.")
    strangers = [name for name, each in saved.items() if not isinstance(each, _Tensor)]
    if strangers:
        entries = ", ".join(map(repr, strangers[:3]))
        raise ValueError(f"it holds entries that are no tensors, such as {entries}.")
    return {name: tensor.array() for name, tensor in saved.items()}
