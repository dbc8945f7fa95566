"""Tarballs: packed reproducibly, and unpacked without letting a path leave the folder."""

import contextlib
import gzip
import pathlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from keras_mlp.errors import first_line
from keras_mlp.whole_files import DISK_ERRORS, check_free, whole_file, whole_folder

LARGEST = 2**30  # bytes after unpacking
MOST_FILES = 10_000
_BLOCK = 2**20


def pack(folder: str | pathlib.Path, path: str | pathlib.Path) -> None:
    """Packs the files of a folder into a `.tar.gz`, under their paths relative to the folder.

    Entries are sorted and carry no times, owners or modes: equal files give equal bytes under the
    same version of zlib.

    Args:
        folder: the folder to pack, with every file below it.
        path: path of the archive; an existing file is replaced.
    """
    folder = pathlib.Path(folder)
    with (
        whole_file(path) as new,
        open(new, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in sorted(folder.rglob("*")):
            member = tarfile.TarInfo(file.relative_to(folder).as_posix())
            if file.is_dir():
                # TF Hub's client does not create folders itself.
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            member.size = file.stat().st_size
            with open(file, "rb") as content:
                archive.addfile(member, content)


def unpack(path: str | pathlib.Path, folder: str | pathlib.Path, limit: int = LARGEST) -> None:
    """Unpacks an untrusted `.tar.gz` into a new folder, completely or not at all.

    Args:
        path: path of the archive.
        folder: the folder to create; its parent must exist.
        limit: largest total size of the unpacked files, in bytes.

    Raises:
        ValueError: the archive is damaged or too large; or it holds a path that leaves the folder,
            a link, a device, a duplicate path, or more than `MOST_FILES` entries.
        FileExistsError: `folder` exists.
        OSError: `folder` cannot be written.
    """
    folder = pathlib.Path(folder).resolve()
    check_free(folder, "unpack into a new folder")
    with whole_folder(folder) as new:
        try:
            with open(path, "rb") as file, gzip.open(file) as raw:
                _check_flags(file)
                stream = _Limited(raw, path, limit)
                _extract(stream, path, new)
                # tar stops at its own end; gzip checks its checksum only at the end of the file.
                while stream.read(_BLOCK):
                    pass
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            raise ValueError(f"{path} cannot be unpacked: {first_line(error)}") from error


@contextlib.contextmanager
def unpacked(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary folder with the contents of a `.tar.gz`; raises what `unpack` raises."""
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / pathlib.Path(path).name.removesuffix(".tar.gz")
        unpack(path, folder)
        yield folder


def _check_flags(file: BinaryIO) -> None:
    """Refuses flags of gzip's header that must be zero (RFC 1952), which Python's reader skips."""
    flags = file.read(4)[3:]
    file.seek(0)
    if flags and flags[0] & 0xE0:
        raise gzip.BadGzipFile("Reserved flags are set in the header of gzip.")


class _Limited:
    """A stream that fails after too many bytes, whatever sizes the headers claim."""

    def __init__(self, stream: gzip.GzipFile, path: str | pathlib.Path, limit: int) -> None:
        self.stream, self.path, self.left = stream, path, limit

    def read(self, size: int) -> bytes:
        block = self.stream.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError(f"{self.path} unpacks to more bytes than an artefact may have.")
        return block


def _extract(stream: _Limited, path: str | pathlib.Path, folder: pathlib.Path) -> None:
    """One member at a time, in one pass: nothing after a refused member is unpacked."""
    seen: set[pathlib.PurePosixPath] = set()
    # Mode "r|" only ever calls `read`.
    with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            name = _checked_name(member, path)
            if name in seen and not member.isdir():
                raise ValueError(f"{path} holds {member.name!r} twice.")
            if len(seen) == MOST_FILES:
                raise ValueError(f"{path} holds more than {MOST_FILES} entries.")
            seen.add(name)
            archive.extract(member, folder, filter="data")
    if not seen:
        raise ValueError(f"{path} holds no file.")


def _checked_name(member: tarfile.TarInfo, path: str | pathlib.Path) -> pathlib.PurePosixPath:
    """The member's path, normalised; ValueError unless it is a file or folder inside the folder."""
    name = pathlib.PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise ValueError(f"{path} holds {member.name!r}, which leaves the folder.")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ValueError(f"{path} holds {member.name!r}, which is neither a file nor a folder.")
    return name
