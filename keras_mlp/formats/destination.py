"""Checks of a destination, and of what a format needs, before any work."""

import importlib.util
import os
import pathlib
from collections.abc import Sequence

from keras_mlp.arguments import check_bool, check_path
from keras_mlp.whole_files import check_replaceable


def check_destination(
    path: str | os.PathLike[str],
    overwrite: bool,
    *,
    suffix: str | None = None,
    marker: str = "",
) -> pathlib.Path:
    """Returns `path` as a `pathlib.Path`, or raises an error if it must not be written.

    Args:
        path: file or folder to write, in an existing folder.
        overwrite: replace an existing one of this kind.
        suffix: suffix of a file; None for a folder.
        marker: name of a file that every folder of this kind holds.

    Raises:
        ValueError: `path` has another suffix, or `overwrite` is not a bool.
        OSError: `path` exists and must not be replaced, or its parent folder does not exist.
    """
    path = check_path("path", path)
    check_bool("overwrite", overwrite)
    if suffix and path.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix}, got {path}.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"`path`={path}: there is no folder {path.absolute().parent}.")
    if suffix:
        check_replaceable(path, overwrite, pathlib.Path.is_file, "is not a file")
    else:
        complaint = f"is not a folder with a {marker}"
        check_replaceable(path, overwrite, lambda path: (path / marker).is_file(), complaint)
    return path


def check_installed(extra: str, modules: Sequence[str]) -> None:
    """Raises ImportError with the command to run, unless all modules can be imported."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{' and '.join(missing)} must be installed for this format: "
            f"python -m pip install 'keras_mlp[{extra}]'"
        )
