"""Where a format is written: looked at before any work, and whole or not there at all."""

import contextlib
import importlib.util
import os
import pathlib
import uuid

from keras_mlp.arguments import check_bool


def check_destination(path, overwrite, *, suffix=None, marker=None):
    """Returns `path` as a `pathlib.Path`.

    Args:
        path: file or folder to write, in an existing folder.
        overwrite: whether one of this kind that is there may be replaced.
        suffix: of a file; None for a folder.
        marker: name of a file that a folder of this kind holds.

    Raises:
        ValueError: `path` has another suffix, or `overwrite` is not a bool.
        OSError: there is something at `path` that may not be replaced, or no folder for it.
    """
    path = pathlib.Path(path)
    check_bool("overwrite", overwrite)
    if suffix and path.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix}, got {path}.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"`path`={path}: there is no folder {path.absolute().parent}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"There is something at {path} already; `overwrite` is False.")
    if path.exists() and not (path.is_file() if suffix else (path / marker).is_file()):
        kind = "a file" if suffix else f"a folder with a {marker}"
        raise FileExistsError(f"{path} is not {kind}: `overwrite` replaces nothing else.")
    return path


def write_whole(path, content):
    """Writes bytes beside `path` and renames them to it."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    with contextlib.ExitStack() as stack:
        stack.callback(beside.unlink, missing_ok=True)
        beside.write_bytes(content)
        os.replace(beside, path)


def check_installed(extra, modules):
    """Raises ImportError, with the command that helps, unless all modules can be imported."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{' and '.join(missing)} must be installed for this format: "
            f"python -m pip install 'keras_mlp[{extra}]'"
        )
