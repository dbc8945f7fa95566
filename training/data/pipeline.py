"""Splits of a dataset, and the endless stream of training batches that can start at any step."""

import dataclasses

import numpy as np
import tensorflow as tf

from training.data.augmentation import augment_image
from training.data.sources import find_dataset
from training.strategies import WHOLE

SHUFFLE_BUFFER = 100_000  # examples; a smaller split is shuffled whole


@dataclasses.dataclass
class Split:
    """Examples in a fixed order.

    Attributes:
        examples: dataset of (uint8 image (H, W, C), int64 label).
        size: number of examples.
    """

    examples: tf.data.Dataset
    size: int


@dataclasses.dataclass
class Splits:
    """The three parts of a dataset, and the names of its classes.

    Attributes:
        train, test: what the run learns from, and what it is judged by, once.
        validation: cut from the end of train; None when no share of it is asked for.
        classes: names, in the order of the labels.
    """

    train: Split
    validation: Split | None
    test: Split
    classes: list


def load_splits(data, image_shape):
    """Opens the dataset that a config names.

    Args:
        data: a `training.config.Data`.
        image_shape: (H, W, C) of the model; images of another size are resized (bilinear).

    Returns:
        `Splits`.

    Raises:
        ValueError: see `find_dataset`; or a split or class does not exist, or the channels differ.
    """
    builder = find_dataset(data.name, data.data_dir)
    for key in ("train_split", "test_split"):
        if getattr(data, key) not in builder.info.splits:
            raise ValueError(
                f"`data.{key}` is {getattr(data, key)!r}; {data.name} has "
                f"{', '.join(builder.info.splits)}."
            )
    channels = builder.info.features["image"].shape[-1]
    if channels != image_shape[-1]:
        raise ValueError(
            f"{data.name} has {channels} channel(s), `model.arguments.image_shape` {image_shape} "
            f"asks for {image_shape[-1]}."
        )
    names = builder.info.features["label"].names
    classes = data.classes or tuple(range(len(names)))
    if not set(classes) <= set(range(len(names))) or len(set(classes)) < len(classes):
        raise ValueError(
            f"`data.classes` must be different labels from 0 to {len(names) - 1}, got {classes}."
        )

    def split(name):
        return _read(builder, name, classes, image_shape, data.cache)

    kept = 100 - data.validation_percent
    train = split(f"{data.train_split}[:{kept}%]")
    if data.examples_per_class:
        train = _first_of_each_class(train, data.examples_per_class, len(classes))
    validation = split(f"{data.train_split}[{kept}%:]") if data.validation_percent else None
    return Splits(train, validation, split(data.test_split), [names[label] for label in classes])


def training_stream(split, *, batch_size, seed, start_step, augment, share=WHOLE):
    """Batches without end: every epoch its own order, every example its own augmentation.

    What step n sees is a function of `seed` and n alone, so a run that starts again at n sees what
    the first would have seen. Epochs follow each other without a gap: no example is dropped.

    Args:
        split: a `Split`.
        batch_size: over all replicas.
        seed: of order and augmentation.
        start_step: number of batches to skip.
        augment: a `training.config.Augment`.
        share: what this host reads of every batch; all of it unless said otherwise.

    Returns:
        Dataset of (uint8 images (B, H, W, C), int64 labels (B,)), B images for one replica.
    """
    start = start_step * batch_size

    buffer = min(split.size, SHUFFLE_BUFFER)

    def epoch(number):
        # The seed of this function's own graph: the global one must not change the order, and one
        # of 0 would be compared with `number`, which only a running graph knows.
        tf.random.set_seed(seed + 1)
        return split.examples.shuffle(buffer, seed=number, reshuffle_each_iteration=False)

    def transform(index, example):
        image, label = example
        return augment_image(image, (seed, index), augment), label

    epochs = tf.data.Dataset.range(start // split.size, np.iinfo(np.int64).max)
    stream = epochs.flat_map(epoch).skip(start % split.size).enumerate(start)
    stream = stream.shard(share.hosts, share.host)  # before the work on each image
    stream = stream.map(transform, tf.data.AUTOTUNE, deterministic=True)
    return _batches(stream, batch_size, share)


def evaluation_batches(split, batch_size, share=WHOLE):
    """Every example once, in order; the last batch is filled up with black images of label -1.

    So every replica of every host gets as many batches, all of the same shape.
    """
    image, label = split.examples.element_spec
    fill = tf.zeros(image.shape, image.dtype), tf.constant(-1, label.dtype)
    count = -split.size % batch_size
    examples = split.examples.concatenate(tf.data.Dataset.from_tensors(fill).repeat(count))
    return _batches(examples.shard(share.hosts, share.host), batch_size, share)


def _batches(examples, batch_size, share):
    """Batches for one replica, of the examples of one host."""
    batches = examples.batch(batch_size // share.replicas, drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def _read(builder, name, classes, image_shape, cache):
    """One split: decoded, its classes chosen and renumbered, resized if need be, cached."""
    count = builder.info.features["label"].num_classes
    new_label = np.full(count, -1, np.int64)
    new_label[list(classes)] = np.arange(len(classes))
    height, width, _ = image_shape

    def prepare(example):
        image = example["image"]
        if image.shape != image_shape:
            image = tf.image.resize(image, (height, width), antialias=True)
            image = tf.cast(tf.round(image), tf.uint8)
        return tf.ensure_shape(image, image_shape), tf.gather(new_label, example["label"])

    examples = builder.as_dataset(split=name, shuffle_files=False)
    examples = examples.map(prepare, tf.data.AUTOTUNE, deterministic=True)
    size = builder.info.splits[name].num_examples
    if len(classes) < count:
        examples = examples.filter(lambda image, label: label >= 0)
        size = int(examples.reduce(0, lambda total, _: total + 1))
    if size == 0:
        raise ValueError(f"The split {name} of {builder.name} holds no example of the classes.")
    return Split(examples.cache() if cache else examples, size)


def _first_of_each_class(split, count, num_classes):
    images, labels = zip(*split.examples.as_numpy_iterator(), strict=True)
    images, labels = np.stack(images), np.stack(labels)
    rows = np.concatenate([np.flatnonzero(labels == k)[:count] for k in range(num_classes)])
    return Split(tf.data.Dataset.from_tensor_slices((images[rows], labels[rows])), len(rows))
