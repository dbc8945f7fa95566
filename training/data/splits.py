"""The splits of a dataset: which examples, in which order, of which classes."""

import collections.abc
import dataclasses

import numpy as np
import tensorflow as tf

from training.data.checks import check_data, kept_for_training
from training.data.corrupt import Ledger, attempt_each
from training.data.decoding import Decoder
from training.data.sources import open_source
from training.engine.tensorflow.strategies import WHOLE


@dataclasses.dataclass
class Stored:
    """Examples as they lie in files: what each of them becomes is decided when it is read.

    Attributes:
        read: function from (host, hosts) to that host's part of the examples, a dataset of (stored
            picture, int64 label, name), and their number.
        decoder: a `training.data.decoding.Decoder`.
        ledger: a `training.data.corrupt.Ledger`.
    """

    read: collections.abc.Callable
    decoder: Decoder
    ledger: Ledger

    def open(self, examples):
        """Decodes examples.

        Args:
            examples: dataset of (picture, label, name).

        Returns:
            Dataset of (uint8 image (H, W, C), label, ""); where the picture is damaged (black, -1,
            its name).
        """

        def whole(picture, label, name):
            return self.decoder.whole(picture), label, ""

        return attempt_each(examples, whole, self._damaged)

    def open_numbered(self, examples, seed_of, augment):
        """Decodes examples for training.

        Args:
            examples: dataset of (number, (picture, label, name)).
            seed_of: function from a number to the pair of integers that the part of the picture
                depends on.
            augment: a `training.config.Augment`, which says whether there is one, and which.

        Returns:
            Dataset of the number, and of what `open` makes of the example.
        """

        def opened(number, example):
            picture, label, _ = example
            if not augment.crop:
                return number, (self.decoder.whole(picture), label, "")
            image = self.decoder.part(picture, seed_of(number), augment.crop, augment.aspect)
            return number, (image, label, "")

        def damaged(number, example):
            return number, self._damaged(*example)

        return attempt_each(examples, opened, damaged)

    def _damaged(self, picture, label, name):
        return tf.zeros(self.decoder.image_shape, tf.uint8), tf.constant(-1, tf.int64), name


@dataclasses.dataclass
class Split:
    """Examples in a fixed order.

    Attributes:
        examples: dataset of (uint8 image (H, W, C), int64 label), as a model is judged on them. A
            label of -1 belongs to no example: its picture is damaged.
        size: number of examples.
        num_classes: K; 0 where nobody asked.
        interpolation: of random parts of the images.
        shuffle_buffer: examples that an epoch's order is drawn from.
        stored: a `Stored`, where training decodes by itself; None where it changes `examples`.
    """

    examples: tf.data.Dataset
    size: int
    num_classes: int = 0
    interpolation: str = "bilinear"
    shuffle_buffer: int = 100_000
    stored: Stored | None = None

    def first(self, count):
        """The first images and labels that are not damaged, as arrays."""
        examples = self.examples.filter(lambda image, label: label >= 0).take(count)
        images, labels = zip(*examples.as_numpy_iterator(), strict=True)
        return np.stack(images), np.array(labels)

    def batches(self, batch_size):
        """Every example once, as arrays; the last batch is filled up with labels of -1."""
        return evaluation_batches(self, batch_size).as_numpy_iterator()


@dataclasses.dataclass
class Splits:
    """The three parts of a dataset, and the names of its classes.

    Attributes:
        train, test: what the run learns from, and what it is judged by, once.
        validation: cut from the end of train; None when no share of it is asked for.
        classes: names, in the order of the labels.
        ledger: of the damaged pictures of all of them.
    """

    train: Split
    validation: Split | None
    test: Split
    classes: list
    ledger: Ledger

    @property
    def damaged(self):
        """Names of the damaged pictures that were met."""
        return self.ledger.names


def evaluation_batches(split, batch_size, share=WHOLE):
    """Every example once, in order; the last batch is filled up with black images of label -1.

    So every replica of every host gets as many batches, all of the same shape.
    """
    missing = -split.size % batch_size
    if split.stored:
        examples, _ = split.stored.read(0, 1)
        # No picture is read as a damaged one is: black, and of label -1.
        none = "", tf.constant(-1, tf.int64), ""
    else:
        examples = split.examples
        image, label = examples.element_spec
        none = tf.zeros(image.shape, image.dtype), tf.constant(-1, label.dtype)
    examples = examples.concatenate(tf.data.Dataset.from_tensors(none).repeat(missing))
    examples = examples.shard(share.hosts, share.host)
    batch_size //= share.replicas
    if not split.stored:
        return examples.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    batches = split.stored.open(examples).batch(batch_size, drop_remainder=True)
    return split.stored.ledger.account(batches).prefetch(tf.data.AUTOTUNE)


def load_splits(data, image_shape):
    """Opens the dataset that a config names.

    Args:
        data: a `training.config.Data`.
        image_shape: (H, W, C) of the model; pictures of another size are brought to it.

    Returns:
        `Splits`.

    Raises:
        ValueError: see `open_source`; or a split or class does not exist, or the
            number of classes or of channels is another one.
    """
    source = open_source(data)
    check_data(source, data, image_shape)
    classes = data.classes or tuple(range(len(source.classes)))
    reader = _Reader(source, data, image_shape, classes)
    count = source.splits[data.train_split]
    kept = kept_for_training(count, data.validation_percent)
    return Splits(
        reader.split(data.train_split, 0, kept, data.examples_per_class),
        reader.split(data.train_split, kept, count) if data.validation_percent else None,
        reader.split(data.test_split, 0, source.splits[data.test_split]),
        [source.classes[label] for label in classes],
        reader.ledger,
    )


class _Reader:
    """Makes splits of ranges of a source's examples."""

    def __init__(self, source, data, image_shape, classes):
        self.source, self.data = source, data
        self.num_classes = len(classes)
        self.new_label = np.full(len(source.classes), -1, np.int64)
        self.new_label[list(classes)] = np.arange(len(classes))
        self.decoder = Decoder(source, image_shape, data)
        self.ledger = Ledger(data.max_corrupt)
        # The whole split, on this machine, decoded once; else one would not decode its part only.
        self.is_cached = (
            data.cache and source.image_shape and data.shard == "examples" and not data.service
        )

    def split(self, name, start, stop, examples_per_class=0):
        def read(host=0, hosts=1):
            return self._read(name, *_part(start, stop, host, hosts))

        stored, size = read()
        if examples_per_class:
            stored, size = first = _first_of_each_class(stored, examples_per_class)
            read = lambda host=0, hosts=1: first  # noqa: E731
        if size == 0:
            raise ValueError(
                f"{name}[{start}:{stop}] of {self.source.place} holds no example of the classes."
            )
        opener = Stored(read, self.decoder, self.ledger)
        examples = self.ledger.account(opener.open(stored))
        return Split(
            examples.cache() if self.is_cached else examples,
            size,
            self.num_classes,
            self.data.interpolation,
            self.data.shuffle_buffer,
            None if self.is_cached else opener,
        )

    def _read(self, name, start, stop):
        """Stored examples of a range, those of other classes left out, and their number."""
        stored = self.source.read(name, start, stop)
        if self.num_classes == len(self.new_label) and not self.data.classes:
            return stored, stop - start
        stored = stored.map(
            lambda picture, label, name: (picture, tf.gather(self.new_label, label), name)
        ).filter(lambda picture, label, name: label >= 0)
        return stored, int(stored.reduce(0, lambda total, *_: total + 1))


def _part(start, stop, host, hosts):
    """A host's part of a range: as many examples for each, or one more for some."""
    edges = [start + (stop - start) * i // hosts for i in (host, host + 1)]
    return edges[0], edges[1]


def _first_of_each_class(stored, count):
    found = collections.defaultdict(list)
    for example in stored.as_numpy_iterator():
        if len(found[example[1]]) < count:
            found[example[1]].append(example)
    chosen = [example for label in sorted(found) for example in found[label]]
    pictures, labels, names = (list(column) for column in zip(*chosen, strict=True))
    pictures = tf.stack([tf.constant(picture) for picture in pictures])  # bytes, or pixels
    columns = pictures, tf.constant(labels, tf.int64), tf.constant(names)
    return tf.data.Dataset.from_tensor_slices(columns), len(chosen)
