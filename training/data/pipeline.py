"""The endless stream of training batches that can start at any step, and those of evaluation."""

import numpy as np
import tensorflow as tf

from training.data.augmentation import CROP, augment_image, check_augmentation, draw_seed
from training.data.decoding import random_part
from training.data.mixing import mix_batch
from training.data.service import served
from training.data.splits import Split, Splits, evaluation_batches, load_splits
from training.engine.tensorflow.strategies import WHOLE

__all__ = ["Split", "Splits", "evaluation_batches", "load_splits", "training_stream"]


def training_stream(
    split, *, batch_size, seed, start_step, augment, share=WHOLE, shard="examples", service=""
):
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
        shard, service: see `training.config.Data`.

    Returns:
        Dataset of (uint8 images (B, H, W, C), labels), B images for one replica. Labels are int64
        (B,), of which -1 belongs to a damaged picture and counts for nothing; or, where images are
        mixed, float32 (B, K), shares of the classes, whose sum is then 0.

    Raises:
        ValueError: `augment` does not fit the images, or no service answers.
    """
    check_augmentation(augment, split)
    # With files of its own a host counts its own examples, else those of all hosts.
    hosts, host = (share.hosts, share.host) if shard == "files" else (1, 0)
    stored, size = split.stored.read(host, hosts) if split.stored else (split.examples, split.size)
    start = start_step * batch_size // hosts
    first = start // augment.repeats
    first -= first % size if service else 0  # workers share whole epochs
    stream = _endless(stored, size, min(size, split.shuffle_buffer), seed, first)
    parts, part = (1, 0) if shard == "files" else (share.hosts, share.host)
    stream = _own(stream, augment.repeats, start, parts, part, service)  # before the work

    def pair_of(number):
        return seed, number * hosts + host

    if split.stored:
        stream = split.stored.open_numbered(
            stream, lambda number: draw_seed(pair_of(number), CROP), augment
        )

    def prepare(number, example):
        pair = pair_of(number)
        if not split.stored:
            example = _from_memory(split, example, pair, augment)
        image, label, damaged = example
        return augment_image(image, pair, augment), label, damaged, pair[1]

    def mix(images, labels, damaged, indices):
        if augment.mixup or augment.cutmix:
            # The first example tells this batch from that of any other step, host and replica.
            pair = seed, indices[0]
            images, labels = mix_batch(images, labels, split.num_classes, pair, augment)
        return images, labels, damaged

    stream = stream.map(prepare, tf.data.AUTOTUNE, deterministic=True)
    stream = stream.batch(batch_size // share.replicas, drop_remainder=True)
    stream = stream.map(mix, tf.data.AUTOTUNE, deterministic=True)
    if service:
        stream = served(stream, service)
    if split.stored:
        stream = split.stored.ledger.account(stream)
    else:
        stream = stream.map(lambda images, labels, damaged: (images, labels))
    return stream.prefetch(tf.data.AUTOTUNE)


def _endless(stored, size, buffer, seed, start):
    """(number, example) from `start` on; numbers count the examples of all epochs."""

    def epoch(number):
        # The seed of this function's own graph: the global one must not change the order, and one
        # of 0 would be compared with `number`, which only a running graph knows.
        tf.random.set_seed(seed + 1)
        examples = stored.shuffle(buffer, seed=number, reshuffle_each_iteration=False)
        return examples.enumerate(number * size)

    epochs = tf.data.Dataset.range(start // size, np.iinfo(np.int64).max)
    return epochs.flat_map(epoch).skip(start % size)


def _own(stream, repeats, start, parts, part, service):
    """Of (number, example), each in `repeats` copies: a host's part of those from `start` on."""
    if repeats > 1:
        stream = stream.flat_map(lambda number, example: _copies(number, example, repeats))
    if service:
        # Each of its workers has epochs of its own, where places say nothing; numbers do.
        return stream.filter(lambda number, _: (number >= start) & (number % parts == part))
    return stream.skip(start % repeats).shard(parts, part)  # `start` may lie between two copies


def _copies(number, example, count):
    return tf.data.Dataset.from_tensors(example).repeat(count).enumerate(number * count)


def _from_memory(split, example, pair, augment):
    """(image, label, ""); a random part of the image where `augment` asks for it."""
    image, label = example
    if augment.crop:
        own = draw_seed(pair, CROP)
        image = random_part(image, own, augment.crop, augment.aspect, split.interpolation)
    return image, label, ""
