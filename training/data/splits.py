"""The splits of a dataset: their examples, order and classes."""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_mlp.typing import Array, Tensor
from training.config import Augment, Data
from training.data.checks import check_data, held_out, kept_for_training
from training.data.corrupt import Ledger, attempt_each
from training.data.damage import all_damaged
from training.data.decoding import Decoder
from training.data.image_folder import ImageFolder
from training.data.picture_notes import picture_fault
from training.data.prefetching import prefetched, untuned
from training.data.sources import Source, open_source
from training.data.subsets import balanced_rows
from training.engine.tensorflow.strategies import WHOLE, Share

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Stored:
    """Examples as stored in files, decoded when they are read.

    Attributes:
        read: function from (host, hosts) to the host's part of the examples, a dataset of (stored
            picture, int64 label, name), and its size.
        decoder: a `training.data.decoding.Decoder`.
        ledger: a `training.data.corrupt.Ledger`.
    """

    read: Callable[[int, int], tuple[tf.data.Dataset, int]]
    decoder: Decoder
    ledger: Ledger

    def open(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """Decodes examples.

        Args:
            examples: dataset of (picture, label, name).

        Returns:
            A dataset of (uint8 image (H, W, C), label, ""); for a damaged picture (black image, -1,
            its name).
        """

        def whole(
            picture: tf.Tensor, label: tf.Tensor, name: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, str]:
            return self.decoder.whole(picture), label, ""

        return attempt_each(examples, whole, self._damaged)

    def open_numbered(
        self, examples: tf.data.Dataset, seed_of: Callable[[tf.Tensor], Tensor], augment: Augment
    ) -> tf.data.Dataset:
        """Decodes examples for training.

        Args:
            examples: dataset of (number, (picture, label, name)).
            seed_of: function from a number to the seed of the random part of the picture, a pair of
                integers.
            augment: a `training.config.Augment`; it uses `crop` and `aspect`.

        Returns:
            A dataset of (number, example), with examples as from `open`.
        """

        def opened(
            number: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, str]]:
            picture, label, _ = example
            if not augment.crop:
                return number, (self.decoder.whole(picture), label, "")
            image = self.decoder.part(picture, seed_of(number), augment.crop, augment.aspect)
            return number, (image, label, "")

        def damaged(
            number: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
            return number, self._damaged(*example)

        return attempt_each(examples, opened, damaged)

    def _damaged(
        self, picture: tf.Tensor, label: tf.Tensor, name: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return tf.zeros(self.decoder.image_shape, tf.uint8), tf.constant(-1, tf.int64), name


@dataclasses.dataclass
class Split:
    """Examples in a fixed order.

    Attributes:
        opened: function that returns `examples`, called when they are first used: tracing how
            pictures are decoded takes time, and training does it in its own way.
        size: number of examples.
        num_classes: K; 0 if not known.
        interpolation: interpolation of random parts of the images.
        shuffle_buffer: size of the shuffle buffer, in examples.
        stored: the `Stored` examples if training decodes them itself; None if it augments
            `examples`.
    """

    opened: Callable[[], tf.data.Dataset]
    size: int
    num_classes: int = 0
    interpolation: str = "bilinear"
    shuffle_buffer: int = 100_000
    stored: Stored | None = None

    @functools.cached_property
    def examples(self) -> tf.data.Dataset:
        """Dataset of (uint8 image (H, W, C), int64 label) for evaluation.

        A label of -1 means that the picture is damaged.
        """
        return self.opened()

    def first(self, count: int) -> tuple[Array, Array]:
        """The first images and labels of pictures that are not damaged, as arrays."""
        examples = self.examples.filter(lambda image, label: label >= 0).take(count)
        found = list(untuned(examples).as_numpy_iterator())
        if not found:
            raise all_damaged("evaluation")
        images, labels = zip(*found, strict=True)
        return np.stack(images), np.array(labels)

    def batches(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        """Every example once, as arrays; labels of -1 fill up the last batch."""
        return evaluation_batches(self, batch_size).as_numpy_iterator()


@dataclasses.dataclass
class Splits:
    """The three parts of a dataset, and the names of its classes.

    Attributes:
        train, test: the training split, and the test split, which a run reads once.
        validation: the last examples of train, held out; None if no share is held out.
        classes: names of the classes, in the order of the labels.
        ledger: the damaged pictures of all three.
    """

    train: Split
    validation: Split | None
    test: Split
    classes: list[str]
    ledger: Ledger

    @property
    def damaged(self) -> list[str]:
        """Names of the damaged pictures that were met."""
        return self.ledger.names

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Inside it an error that is due to a picture says which one."""
        return self.ledger.explained()


def evaluation_batches(split: Split, batch_size: int, share: Share = WHOLE) -> tf.data.Dataset:
    """Every example once, in order; black images of label -1 fill up the last batch.

    Every replica of every host gets the same number of batches, all of the same shape.
    """
    if split.stored:
        stored, _ = split.stored.read(0, 1)
        examples = split.stored.open(stored.shard(share.hosts, share.host))
    else:
        examples = split.examples.shard(share.hosts, share.host)
    on_all_hosts = split.size + -split.size % batch_size
    own = len(range(share.host, split.size, share.hosts))
    # Added after decoding: what cannot be decoded takes the slow path of damaged pictures.
    image, label, *name = examples.element_spec
    none = tf.zeros(image.shape, image.dtype), tf.constant(-1, label.dtype), *("" for _ in name)
    filler = tf.data.Dataset.from_tensors(none).repeat(on_all_hosts // share.hosts - own)
    batches = examples.concatenate(filler).batch(batch_size // share.replicas, drop_remainder=True)
    return prefetched(split.stored.ledger.account(batches) if split.stored else batches)


def load_splits(data: Data, image_shape: tuple[int, ...]) -> Splits:
    """Loads the dataset of a config.

    Args:
        data: a `training.config.Data`.
        image_shape: (H, W, C) of the model, to which pictures are resized.

    Returns:
        `Splits`.

    Raises:
        ValueError: see `open_source`; or a split or class does not exist, or the number of classes
            or channels does not match.
    """
    source = open_source(data)
    check_data(source, data, image_shape)
    if isinstance(source, ImageFolder):
        for note in source.notes(image_shape[-1]):
            log.warning(note)
    classes = data.classes or tuple(range(len(source.classes)))
    reader = _Reader(source, data, image_shape, classes)
    count = source.splits[data.train_split]
    kept = kept_for_training(count, data)
    where = held_out(source, data)
    return Splits(
        reader.split(data.train_split, 0, kept, data.examples_per_class),
        reader.split(*where) if where else None,
        reader.split(data.test_split, 0, source.splits[data.test_split]),
        [source.classes[label] for label in classes],
        reader.ledger,
    )


class _Reader:
    """Makes splits from ranges of a source's examples."""

    def __init__(
        self, source: Source, data: Data, image_shape: tuple[int, ...], classes: Sequence[int]
    ) -> None:
        self.source, self.data = source, data
        self.num_classes = len(classes)
        self.new_label = np.full(len(source.classes), -1, np.int64)
        self.new_label[list(classes)] = np.arange(len(classes))
        self.decoder = Decoder(source, image_shape, data)
        self.ledger = Ledger(data.max_corrupt, lambda name: picture_fault(name, data.max_pixels))
        # Only if this machine decodes the whole split once; otherwise it decodes only its part.
        self.is_cached = (
            data.cache and source.image_shape and data.shard == "examples" and not data.service
        )

    def split(self, name: str, start: int, stop: int, examples_per_class: int = 0) -> Split:
        def read(host: int = 0, hosts: int = 1) -> tuple[tf.data.Dataset, int]:
            return self._read(name, *_part(start, stop, host, hosts))

        stored, size = read()
        if examples_per_class:
            stored, size = drawn = _subset(stored, examples_per_class, self.data.subset_seed)
            read = lambda host=0, hosts=1: drawn  # noqa: E731
        if size == 0:
            raise ValueError(
                f"{name}[{start}:{stop}] of {self.source.place} has no examples of the classes."
            )
        opener = Stored(read, self.decoder, self.ledger)

        def opened() -> tf.data.Dataset:
            examples = self.ledger.account(opener.open(stored))
            return examples.cache() if self.is_cached else examples

        return Split(
            opened,
            size,
            self.num_classes,
            self.data.interpolation,
            self.data.shuffle_buffer,
            None if self.is_cached else opener,
        )

    def _read(self, name: str, start: int, stop: int) -> tuple[tf.data.Dataset, int]:
        """The stored examples of a range that are of the config's classes, and their number."""
        stored = self.source.read(name, start, stop)
        if self.num_classes == len(self.new_label) and not self.data.classes:
            return stored, stop - start
        stored = stored.map(
            lambda picture, label, name: (picture, tf.gather(self.new_label, label), name)
        ).filter(lambda picture, label, name: label >= 0)
        return stored, int(stored.reduce(0, lambda total, *_: total + 1))


def _part(start: int, stop: int, host: int, hosts: int) -> tuple[int, int]:
    """A host's part of a range; the parts differ in size by at most one example."""
    edges = [start + (stop - start) * i // hosts for i in (host, host + 1)]
    return edges[0], edges[1]


def _subset(
    stored: tf.data.Dataset, per_class: int, seed: int | None
) -> tuple[tf.data.Dataset, int]:
    """The stored examples that `balanced_rows` draws, in memory, and their number."""
    stored = untuned(stored)
    labels = np.array([*stored.map(lambda picture, label, name: label).as_numpy_iterator()])
    rows = balanced_rows(labels, per_class, seed)
    if not len(rows):
        return stored.take(0), 0
    wanted = set(rows.tolist())
    found = {
        row: example for row, example in enumerate(stored.as_numpy_iterator()) if row in wanted
    }
    pictures, classes, names = zip(*(found[row] for row in rows.tolist()), strict=True)
    first = pictures[0]  # bytes, or pixels
    columns = (
        tf.constant(pictures) if isinstance(first, bytes) else np.stack(pictures),
        np.array(classes, np.int64),
        tf.constant(names),
    )
    return tf.data.Dataset.from_tensor_slices(columns), len(rows)
