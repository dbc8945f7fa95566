"""Tarballs: written so that the same files give the same bytes, unpacked so that none escapes."""

import contextlib
import gzip
import pathlib
import tarfile
import tempfile
import zlib

from keras_mlp.errors import first_line
from keras_mlp.whole_files import whole_file, whole_folder

LARGEST = 2**30  # bytes of an unpacked archive
MOST_FILES = 10_000


def pack(folder, path):
    """Writes the files of a folder as a `.tar.gz`, with their paths in the folder.

    Names are sorted and there are no times, owners or modes, so equal files give equal bytes (with
    the same zlib, which compresses).

    Args:
        folder: what is packed, every file below it.
        path: of the archive; what is there is replaced.
    """
    folder = pathlib.Path(folder)
    with (
        whole_file(path) as beside,
        open(beside, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in sorted(folder.rglob("*")):
            member = tarfile.TarInfo(file.relative_to(folder).as_posix())
            if file.is_dir():
                # TF Hub's client makes no folder by itself.
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            member.size = file.stat().st_size
            with open(file, "rb") as content:
                archive.addfile(member, content)


def unpack(path, folder, limit=LARGEST):
    """Unpacks a `.tar.gz` that need not be trusted into a new folder, whole or not at all.

    Args:
        path: of the archive.
        folder: must not exist yet; its parent must.
        limit: most bytes that the archive may unpack to.

    Raises:
        ValueError: the archive is damaged or too large; or holds a path that leaves the folder, a
            link, a device, a path twice, or more than `MOST_FILES` entries.
        FileExistsError: there is something at `folder`.
    """
    folder = pathlib.Path(folder).resolve()
    if folder.exists():
        raise FileExistsError(f"There is something at {folder} already.")
    with whole_folder(folder) as beside:
        try:
            with gzip.open(path) as raw:
                _extract(_Limited(raw, path, limit), path, beside)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} cannot be unpacked: {first_line(error)}") from error


@contextlib.contextmanager
def unpacked(path):
    """Gives a temporary folder with what a `.tar.gz` holds; errors are those of `unpack`."""
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / pathlib.Path(path).name.removesuffix(".tar.gz")
        unpack(path, folder)
        yield folder


class _Limited:
    """A stream that ends in an error after too many bytes, whatever headers say of sizes."""

    def __init__(self, stream, path, limit):
        self.stream, self.path, self.left = stream, path, limit

    def read(self, size):
        block = self.stream.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError(f"{self.path} unpacks to more bytes than an artefact may have.")
        return block


def _extract(stream, path, folder):
    """Member by member, in one pass: what is refused has unpacked nothing behind it."""
    seen = set()
    with tarfile.open(fileobj=stream, mode="r|") as archive:
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


def _checked_name(member, path):
    """The member's path, normalised; ValueError for anything but a file or folder below here."""
    name = pathlib.PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise ValueError(f"{path} holds {member.name!r}, which leaves the folder.")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ValueError(f"{path} holds {member.name!r}, which is neither a file nor a folder.")
    return name
