"""What is checked of a format's destination and needs, before any work."""

import importlib.util
import pathlib

from keras_mlp.arguments import check_bool
from keras_mlp.whole_files import check_replaceable


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
    if suffix:
        check_replaceable(path, overwrite, pathlib.Path.is_file, "is not a file")
    else:
        complaint = f"is not a folder with a {marker}"
        check_replaceable(path, overwrite, lambda path: (path / marker).is_file(), complaint)
    return path


def check_installed(extra, modules):
    """Raises ImportError, with the command that helps, unless all modules can be imported."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{' and '.join(missing)} must be installed for this format: "
            f"python -m pip install 'keras_mlp[{extra}]'"
        )
