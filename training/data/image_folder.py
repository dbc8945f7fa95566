"""Pictures in folders, one folder per class."""

import logging
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_mlp.typing import Array, Tensor
from training.config import Data
from training.data.picture_files import (
    SUFFIXES,
    class_folders,
    content_of,
    needs_pillow,
    subfolders,
)
from training.data.picture_notes import picture_notes

if TYPE_CHECKING:
    import tensorflow as tf

log = logging.getLogger(__name__)


class ImageFolder:
    """Pictures `ROOT/SPLIT/CLASS/*.jpg` (or another of `SUFFIXES`) as a source; see `open_source`.

    Classes are numbered in the order of their names. Examples are in a fixed shuffled order;
    otherwise the end of a split would hold only its last classes.

    A warning names what users may not expect: class folders without pictures, files that are not
    read, and pictures in deeper folders.

    Args:
        root: path of the folder.
        splits: names of the splits to read, which are folders in `root`; the first has all classes.
        data: a `training.config.Data`; it uses `upright`, `max_pixels` and `service`.

    Raises:
        ValueError: a split has no folder, is empty, has classes that the first split lacks, or
            holds files that a tf.data service cannot read.
    """

    channels: int | None = None  # decoded as the model asks
    image_shape: tuple[int, int, int] | None = None

    def __init__(self, root: pathlib.Path, splits: Sequence[str], data: Data) -> None:
        self.root, self.data = root, data
        self.place = str(root)
        found = {name: subfolders(root / name) for name in subfolders(root)}
        for split in splits:
            if not found.get(split):
                names = ", ".join(found) or "no folder"
                raise ValueError(
                    f"{root} must hold the folder {split!r} with a folder per class; it holds "
                    f"{names}."
                )
        self.classes = found[splits[0]]
        self.examples = {split: self._examples(split) for split in dict.fromkeys(splits)}
        self.splits = {split: len(paths) for split, (paths, _) in self.examples.items()}
        self._choose_reader()

    def read(self, split: str, start: int, stop: int) -> "tf.data.Dataset":
        import tensorflow as tf  # listing files works without

        paths, labels = (column[start:stop] for column in self.examples[split])
        return tf.data.Dataset.from_tensor_slices((paths, labels, paths))

    def content(self, stored: Tensor) -> Tensor:
        import tensorflow as tf

        if self._needs_pillow:
            return content_of(stored, self.data.max_pixels, self.data.upright)
        return tf.io.read_file(stored)

    def notes(self, channels: int) -> list[str]:
        """What reading does to the pictures that a user may not expect; see `picture_notes`."""
        first, _ = self.examples[next(iter(self.examples))]
        return picture_notes(first.tolist(), channels, self.data.upright)

    def _choose_reader(self) -> None:
        """Finds out who reads the files; ValueError if a tf.data service cannot."""
        all_paths = [path for paths, _ in self.examples.values() for path in paths.tolist()]
        self._needs_pillow = needs_pillow(all_paths)
        if self._needs_pillow and self.data.service:
            raise ValueError(
                f"`data.service` decodes JPEG and PNG files only, and {self.root} holds others: "
                'convert them, or leave `data.service` at "".'
            )

    def _examples(self, split: str) -> tuple[Array, Array]:
        """Paths and labels of a split, in its fixed order."""
        found = class_folders(self.root / split)
        if unknown := sorted(set(found.pictures) - set(self.classes)):
            raise ValueError(
                f"{self.root / split} has classes that the training split lacks: {unknown}."
            )
        numbers = {name: number for number, name in enumerate(self.classes)}
        examples = [
            (path, numbers[name]) for name, paths in found.pictures.items() for path in paths
        ]
        notes = found.notes()
        if not examples:
            raise ValueError(
                f"{self.root / split} has no files CLASS/*{', CLASS/*'.join(SUFFIXES)}."
                + (f" {notes[-1]}" if found.left_out else "")
            )
        for note in notes:
            log.warning(note)
        order = np.random.default_rng(0).permutation(len(examples))
        paths, labels = zip(*examples, strict=True)
        return np.array(paths)[order], np.array(labels, np.int64)[order]
