"""The pictures of a folder whose subfolders are classes of a model."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_mlp.arguments import describe_choices
from keras_mlp.typing import Array
from training.data.picture_files import KINDS, SUFFIXES, ClassFolders, class_folders


@dataclasses.dataclass(frozen=True)
class LabelledFolder:
    """Pictures in the order of their paths.

    Attributes:
        paths: of the files.
        labels: int64 (N,), places of the folders' names among the model's classes.
        notes: what a user may not expect, as sentences.
    """

    paths: list[str]
    labels: Array
    notes: list[str]


def labelled_folder(
    root: str | pathlib.Path, classes: Sequence[str], channels: int
) -> LabelledFolder:
    """Lists pictures `ROOT/CLASS/*.jpg` (or another of `SUFFIXES`); none is read.

    Args:
        root: path of the folder.
        classes: names of the model's classes, which folders are matched with. Classes without a
            folder have no examples.
        channels: of the model's images.

    Raises:
        ValueError: there is no folder or no picture, a folder's name is not a class, or pictures
            cannot have so many channels.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise ValueError(f"`--folder` {root} is not a folder.")
    if channels not in (1, 3):
        raise ValueError(f"Pictures have 1 or 3 channels; the model takes {channels}.")
    found = class_folders(root)
    paths = [path for own in found.pictures.values() for path in own]
    notes = found.notes()
    if not paths:
        raise ValueError(
            f"`--folder` {root} has no files CLASS/*{', CLASS/*'.join(SUFFIXES)}."
            + (f" {notes[-1]}" if found.left_out or found.loose else "")
        )
    return LabelledFolder(paths, _labels(found, classes), notes)


def unreadable(path: str, reason: str) -> ValueError:
    """The error for a picture that cannot be read; `reason` is "" if it is merely damaged."""
    reason = reason.replace("data.max_", "--max-")
    return ValueError(
        f"`--folder` {path} cannot be read: {reason}."
        if reason
        else f"`--folder` {path} is damaged, or is not a {KINDS} file."
    )


def _labels(found: ClassFolders, classes: Sequence[str]) -> Array:
    numbers = {name: number for number, name in enumerate(classes)}
    used = {name: paths for name, paths in found.pictures.items() if paths}
    for name in used:
        if name not in numbers:
            near = describe_choices(name, classes).split("Allowed:")[0]  # there may be thousands
            raise ValueError(
                f"`--folder` {found.root} has a folder {name!r}, which is not one of the model's "
                f"{len(classes)} classes. {near}".strip()
            )
    counts = [len(paths) for paths in used.values()]
    return np.repeat(np.array([numbers[name] for name in used], np.int64), counts)
