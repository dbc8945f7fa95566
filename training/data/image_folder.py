"""Pictures in folders, one for each class."""

import os

import numpy as np
import tensorflow as tf

SUFFIXES = (".jpg", ".jpeg", ".png")


class ImageFolder:
    """Pictures `ROOT/SPLIT/CLASS/*.jpg` (or .jpeg, .png) as a source; see `open_source`.

    Classes are numbered in the order of their names. Examples are in an order that is mixed, always
    in the same way: else the end of a split would hold its last classes only.

    Args:
        root: path of the folder.
        splits: names of the splits that are read: folders in `root`, of which the first has all
            classes.

    Raises:
        ValueError: there is no folder for a split, a split is empty, or has classes that the first
            has not.
    """

    channels = None  # as the model asks
    image_shape = None

    def __init__(self, root, splits):
        self.root = root
        self.place = str(root)
        found = {name: _folders(root / name) for name in _folders(root)}
        for split in splits:
            if not found.get(split):
                names = ", ".join(found) or "no folder"
                raise ValueError(
                    f"{root} must hold the folder {split!r} with a folder for each class; it holds "
                    f"{names}."
                )
        self.classes = found[splits[0]]
        self.examples = {
            split: self._examples(split, found[split]) for split in dict.fromkeys(splits)
        }
        self.splits = {split: len(paths) for split, (paths, _) in self.examples.items()}

    def read(self, split, start, stop):
        paths, labels = (column[start:stop] for column in self.examples[split])
        return tf.data.Dataset.from_tensor_slices((paths, labels, paths))

    def content(self, stored):
        return tf.io.read_file(stored)

    def _examples(self, split, folders):
        """Paths and labels."""
        if unknown := sorted(set(folders) - set(self.classes)):
            raise ValueError(f"{self.root / split} has classes that are not trained on: {unknown}.")
        numbers = {name: number for number, name in enumerate(self.classes)}
        examples = [
            (file.path, numbers[name])
            for name in folders
            for file in sorted(os.scandir(self.root / split / name), key=lambda file: file.name)
            if file.name.lower().endswith(SUFFIXES)
        ]
        if not examples:
            raise ValueError(f"{self.root / split} holds no CLASS/*{', CLASS/*'.join(SUFFIXES)}.")
        order = np.random.default_rng(0).permutation(len(examples))
        paths, labels = zip(*examples, strict=True)
        return np.array(paths)[order], np.array(labels, np.int64)[order]


def _folders(path):
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
