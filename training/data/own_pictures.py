"""A folder of one's own pictures as a source of training."""

import logging
import pathlib

import numpy as np

from keras_mlp.typing import Array
from training.config import Data
from training.data.image_folder import ImageFolder
from training.data.picture_splits import split_pictures

log = logging.getLogger(__name__)


class OwnPictures(ImageFolder):
    """Pictures `ROOT/CLASS/*`, or `ROOT/train/CLASS/*` and so on; see `split_pictures`.

    Args:
        root: path of the folder.
        data: a `training.config.Data`; it uses `split_seed` and what `ImageFolder` uses.

    Raises:
        ValueError: as `split_pictures` does, or a tf.data service cannot read the files.
    """

    def __init__(self, root: pathlib.Path, data: Data) -> None:
        self.root, self.data = root, data
        self.place = str(root)
        found = split_pictures(root, data.split_seed)
        self.classes = found.classes
        self.examples = {
            split: _shuffled(files, self.classes) for split, files in found.files.items()
        }
        self.splits = {split: len(paths) for split, (paths, _) in self.examples.items()}
        self._choose_reader()
        for note in found.notes:
            log.warning(note)


def _shuffled(files: dict[str, list[str]], classes: list[str]) -> tuple[Array, Array]:
    """Paths and labels in a fixed order that mixes the classes."""
    examples = [(path, label) for label, name in enumerate(classes) for path in files.get(name, ())]
    order = np.random.default_rng(0).permutation(len(examples))
    paths, labels = zip(*examples, strict=True)
    return np.array(paths)[order], np.array(labels, np.int64)[order]
