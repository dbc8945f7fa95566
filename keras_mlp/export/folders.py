"""What a folder holds: whether it is a SavedModel, and digests of its files."""

import hashlib
import os
import pathlib


def sha256_of(file: str | os.PathLike[str]) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(folder: pathlib.Path) -> dict[str, str]:
    """Returns the SHA-256 of every file in a folder, by its path relative to the folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def is_saved_model(path: pathlib.Path) -> bool:
    """Returns whether a path is the folder of a SavedModel."""
    return (path / "saved_model.pb").is_file()
