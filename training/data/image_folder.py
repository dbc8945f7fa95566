"""Pictures in folders, one folder per class."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_mlp.typing import Array

SUFFIXES = (".jpg", ".jpeg", ".png")


class ImageFolder:
    """Pictures `ROOT/SPLIT/CLASS/*.jpg` (or .jpeg, .png) as a source; see `open_source`.

    Classes are numbered in the order of their names. Examples are in a fixed shuffled order;
    otherwise the end of a split would hold only its last classes.

    Args:
        root: path of the folder.
        splits: names of the splits to read, which are folders in `root`; the first has all classes.

    Raises:
        ValueError: a split has no folder, is empty, or has classes that the first split lacks.
    """

    channels: int | None = None  # decoded as the model asks
    image_shape: tuple[int, int, int] | None = None

    def __init__(self, root: pathlib.Path, splits: Sequence[str]) -> None:
        self.root = root
        self.place = str(root)
        found = {name: _folders(root / name) for name in _folders(root)}
        for split in splits:
            if not found.get(split):
                names = ", ".join(found) or "no folder"
                raise ValueError(
                    f"{root} must hold the folder {split!r} with a folder per class; it holds "
                    f"{names}."
                )
        self.classes = found[splits[0]]
        self.examples = {
            split: self._examples(split, found[split]) for split in dict.fromkeys(splits)
        }
        self.splits = {split: len(paths) for split, (paths, _) in self.examples.items()}

    def read(self, split: str, start: int, stop: int) -> tf.data.Dataset:
        paths, labels = (column[start:stop] for column in self.examples[split])
        return tf.data.Dataset.from_tensor_slices((paths, labels, paths))

    def content(self, stored: tf.Tensor) -> tf.Tensor:
        return tf.io.read_file(stored)

    def _examples(self, split: str, folders: Sequence[str]) -> tuple[Array, Array]:
        """Paths and labels of a split, in its fixed order."""
        if unknown := sorted(set(folders) - set(self.classes)):
            raise ValueError(
                f"{self.root / split} has classes that the training split lacks: {unknown}."
            )
        numbers = {name: number for number, name in enumerate(self.classes)}
        examples = [
            (file.path, numbers[name])
            for name in folders
            for file in sorted(os.scandir(self.root / split / name), key=lambda file: file.name)
            if file.name.lower().endswith(SUFFIXES)
        ]
        if not examples:
            raise ValueError(
                f"{self.root / split} has no files CLASS/*{', CLASS/*'.join(SUFFIXES)}."
            )
        order = np.random.default_rng(0).permutation(len(examples))
        paths, labels = zip(*examples, strict=True)
        return np.array(paths)[order], np.array(labels, np.int64)[order]


def _folders(path: pathlib.Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
