"""Folders that appear whole or not at all, and digests of what is in them."""

import contextlib
import hashlib
import shutil
import uuid


def sha256_of(file):
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(folder):
    """The SHA-256 of every file in a folder, by its path in it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def is_saved_model(path):
    """Whether a path is the folder of a SavedModel."""
    return (path / "saved_model.pb").is_file()


def check_destination(path, overwrite):
    """Raises FileExistsError unless a SavedModel may be written at `path`."""
    if not path.exists():
        return
    check_overwrite(path, overwrite)
    if not is_saved_model(path):
        raise FileExistsError(f"{path} is not a SavedModel: `overwrite` replaces nothing else.")


def check_overwrite(path, overwrite):
    """Raises FileExistsError if what is at `path` is not to be replaced."""
    if not overwrite:
        raise FileExistsError(f"There is something at {path} already; `overwrite` is False.")


@contextlib.contextmanager
def replacing_folder(path):
    """Yields a new folder beside `path`, which takes its place if the block succeeds."""
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        folder.mkdir()
    except OSError as error:
        raise type(error)(f"Cannot write in {path.parent}: {error.strerror}.") from error
    try:
        yield folder
        _move(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder, path):
    old = folder.with_suffix(".old")
    if path.exists():
        path.rename(old)
    try:
        folder.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
