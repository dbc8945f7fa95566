"""The splits of a data set as arrays in memory, for the engine on JAX."""

import collections.abc
import contextlib
import dataclasses
import logging
import pathlib
import typing

import numpy as np

from keras_mlp.typing import Array
from training.config import Data
from training.data.array_resizing import resized_whole
from training.data.arrays import ArrayFile, DigitArrays
from training.data.checks import OWN_PICTURES, check_data, held_out, kept_for_training
from training.data.decoded_pictures import DecodedPictures, decode
from training.data.labelled_folder import labelled_folder, unreadable
from training.data.picture_notes import picture_notes
from training.data.subsets import balanced_rows

log = logging.getLogger(__name__)


@dataclasses.dataclass
class ArraySplit:
    """Examples in a fixed order.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int32 (N,).
        num_classes: K.
    """

    images: Array
    labels: Array
    num_classes: int

    @property
    def size(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> tuple[Array, Array]:
        """The first images and their labels."""
        return self.images[:count], self.labels[:count]

    def batches(self, batch_size: int) -> collections.abc.Iterator[tuple[Array, Array]]:
        """Every example once, in order; the last batch is filled up with black images of label -1.

        So all batches have one shape.
        """
        missing = -self.size % batch_size
        for start in range(0, self.size, batch_size):
            images, labels = (each[start : start + batch_size] for each in self._columns)
            if len(labels) < batch_size:
                images = np.concatenate(
                    [images, np.zeros_like(images, shape=(missing, *images.shape[1:]))]
                )
                labels = np.concatenate([labels, np.full(missing, -1, labels.dtype)])
            yield images, labels

    @property
    def _columns(self) -> tuple[Array, Array]:
        return self.images, self.labels


@dataclasses.dataclass
class ArraySplits:
    """The three parts of a data set; see `training.data.splits.Splits`."""

    train: ArraySplit
    validation: ArraySplit | None
    test: ArraySplit
    classes: list[str]
    damaged: typing.Collection[str] = ()

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Pictures were read before: no error is due to one here."""
        return contextlib.nullcontext()


def load_arrays(data: Data, image_shape: tuple[int, ...]) -> ArraySplits:
    """Reads the data set that a config names into memory.

    Args:
        data: a `training.config.Data` whose `name` is "digits", "arrays", "pictures" or
            "image_folder".
        image_shape: (H, W, C) of the model, to which images are resized.

    Returns:
        `ArraySplits`.

    Raises:
        ValueError: the file cannot be read, its images have another number of channels, or it lacks
            a split or a class that the config names; or too many pictures are damaged.
    """
    source = _open(data, image_shape)
    check_data(source, data, image_shape)
    if isinstance(source, DecodedPictures):
        for note in source.notes():
            log.warning(note)
    classes = data.classes or tuple(range(len(source.classes)))
    new_label = np.full(len(source.classes), -1, np.int32)
    new_label[list(classes)] = np.arange(len(classes))

    def split(name: str, start: int, stop: int, per_class: int = 0) -> ArraySplit:
        images, labels = (column[start:stop] for column in source.columns(name))
        labels = np.where(labels < 0, -1, new_label[labels])  # a damaged picture counts for nothing
        rows = np.flatnonzero(labels >= 0)
        if per_class:
            rows = balanced_rows(labels, per_class, data.subset_seed)
        if not len(rows):
            raise ValueError(
                f"{name}[{start}:{stop}] of {source.place} holds no example of the classes."
            )
        if len(rows) < len(labels):
            images, labels = images[rows], labels[rows]
        images = resized_whole(images, image_shape, data.interpolation)
        return ArraySplit(images, labels, len(classes))

    count = source.splits[data.train_split]
    kept = kept_for_training(count, data)
    where = held_out(source, data)
    return ArraySplits(
        split(data.train_split, 0, kept, data.examples_per_class),
        split(*where) if where else None,
        split(data.test_split, 0, source.splits[data.test_split]),
        [source.classes[label] for label in classes],
        source.damaged if isinstance(source, DecodedPictures) else (),
    )


def _open(data: Data, image_shape: tuple[int, ...]) -> ArrayFile | DigitArrays | DecodedPictures:
    if data.name == "digits":
        return DigitArrays()
    if data.name in (OWN_PICTURES, "image_folder"):
        return DecodedPictures(data, image_shape)
    return ArrayFile(data.data_dir)


def load_folder(
    root: str | pathlib.Path,
    classes: collections.abc.Sequence[str],
    image_shape: tuple[int, int, int],
    *,
    turn: bool,
    max_pixels: int,
) -> ArraySplit:
    """Decodes the pictures of `labelled_folder` with Pillow, resized whole, bilinear.

    Args:
        root, classes: as for `labelled_folder`.
        image_shape: (H, W, C), C 1 or 3.
        turn: turn pictures as their EXIF orientation asks.
        max_pixels: largest height times width of a picture.

    Raises:
        ValueError: as `labelled_folder` does; or a picture is damaged or too large.
    """
    found = labelled_folder(root, classes, image_shape[-1])
    images, damaged = decode(found.paths, image_shape, upright=turn, max_pixels=max_pixels)
    for path, reason in damaged.items():
        raise unreadable(path, reason)
    for note in [*found.notes, *picture_notes(found.paths, image_shape[-1], turn)]:
        log.warning(note)
    return ArraySplit(images, found.labels.astype(np.int32), len(classes))
