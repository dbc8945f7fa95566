"""Files of repositories at Hugging Face and Kaggle Models, through their own clients."""

import importlib
import pathlib
import re
from collections.abc import Callable
from typing import Any

from keras_mlp.errors import first_line

_HUGGING_FACE = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_KAGGLE = re.compile(r"kaggle://([\w.-]+/[\w.-]+/[\w.-]+/[\w.-]+(?:/\d+)?)")

# Returns the path of a file of one repository, or None if the repository lacks it.
Fetch = Callable[[str], pathlib.Path | None]


def is_address(text: str) -> bool:
    """Whether a text is meant as the address of a repository."""
    return text.startswith(("hf://", "kaggle://"))


def repository(address: str) -> Fetch:
    """Returns a function that fetches a repository's files, all of one revision.

    The clients keep the files in their own caches, and take the user's tokens from their usual
    places.

    Args:
        address: "hf://USER/REPO", "hf://USER/REPO@REVISION",
            "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION" or the same with "/VERSION".

    Raises:
        ValueError: the address has another form.
        ImportError: the client is not installed.
    """
    if match := _HUGGING_FACE.fullmatch(address):
        return _hugging_face(address, match[1], match[2])
    if match := _KAGGLE.fullmatch(address):
        return _kaggle(address, match[1])
    raise ValueError(
        f"`preset`={address!r} must be hf://USER/REPO, hf://USER/REPO@REVISION or "
        "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION."
    )


def client(name: str, extra: str) -> Any:
    """Imports a hub's client, or raises ImportError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{name} must be installed for this address: python -m pip install "
            f"'keras_mlp[{extra}]' ({first_line(error)})"
        ) from error


def _hugging_face(address: str, name: str, revision: str | None) -> Fetch:
    hub = client("huggingface_hub", "hf")
    pinned = [revision]

    def fetch(file: str) -> pathlib.Path | None:
        try:
            path = pathlib.Path(hub.hf_hub_download(name, file, revision=pinned[0]))
        except hub.errors.LocalEntryNotFoundError as error:  # not cached, and no connection
            raise _unreachable(address, file, error) from error
        except hub.errors.EntryNotFoundError:
            return None
        except (OSError, ValueError, RuntimeError) as error:
            raise _unreachable(address, file, error) from error
        # The folder of a snapshot is named after its commit: files of a later one may not match.
        pinned[0] = path.relative_to(_snapshots(path)).parts[0]
        return path

    return fetch


def _snapshots(path: pathlib.Path) -> pathlib.Path:
    return next(parent for parent in path.parents if parent.name == "snapshots")


def _kaggle(address: str, handle: str) -> Fetch:
    hub = client("kagglehub", "kaggle")

    def fetch(file: str) -> pathlib.Path | None:
        try:
            return pathlib.Path(hub.model_download(handle, path=file))
        except Exception as error:  # the client raises errors of several libraries
            response = getattr(error, "response", None)
            if getattr(response, "status_code", None) == 404:
                return None
            raise _unreachable(address, file, error) from error

    return fetch


def _unreachable(address: str, file: str, error: Exception) -> OSError:
    return OSError(
        f"{file} of {address} could not be downloaded: {first_line(error)} Check the address, your "
        "connection and, for a private repository, that you are logged in."
    )
