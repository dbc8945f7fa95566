"""The endless stream of training batches that can start at any step, and those of evaluation."""

import numpy as np
import tensorflow as tf

from training.data.augmentation import CROP, augment_image, check_augmentation, draw_seed
from training.data.decoding import random_part
from training.data.mixing import mix_batch
from training.data.splits import Split, Splits, load_splits
from training.strategies import WHOLE

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
        ValueError: `augment` does not fit the images.
    """
    check_augmentation(augment, split)
    # With files of its own a host counts its own examples, else those of all hosts.
    hosts, host = (share.hosts, share.host) if shard == "files" else (1, 0)
    stored, size = split.stored.read(host, hosts) if split.stored else (split.examples, split.size)
    start = start_step * batch_size // hosts
    stream = _endless(stored, size, min(size, split.shuffle_buffer), seed, start // augment.repeats)
    if augment.repeats > 1:
        stream = stream.flat_map(lambda number, example: _copies(number, example, augment.repeats))
        stream = stream.skip(start % augment.repeats)  # a batch may begin between two copies
    if shard != "files":
        stream = stream.shard(share.hosts, share.host)  # before the work on each image

    def prepare(number, example):
        pair = seed, number * hosts + host
        image, label, damaged = _open(split, example, pair, augment)
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
        policy = tf.data.experimental.service.ShardingPolicy.DYNAMIC
        stream = stream.apply(tf.data.experimental.service.distribute(policy, service))
    return _accounted(split, stream).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split, batch_size, share=WHOLE):
    """Every example once, in order; the last batch is filled up with black images of label -1.

    So every replica of every host gets as many batches, all of the same shape.
    """
    missing = -split.size % batch_size
    if split.stored:
        stored, _ = split.stored.read(0, 1)
        # No picture is read as a damaged one is: black, and of label -1.
        none = "", tf.constant(-1, tf.int64), ""
    else:
        stored = split.examples
        image, label = stored.element_spec
        none = tf.zeros(image.shape, image.dtype), tf.constant(-1, label.dtype)
    stored = stored.concatenate(tf.data.Dataset.from_tensors(none).repeat(missing))
    examples = stored.shard(share.hosts, share.host).map(
        lambda *example: _open(split, example), tf.data.AUTOTUNE, deterministic=True
    )
    batches = examples.batch(batch_size // share.replicas, drop_remainder=True)
    return _accounted(split, batches).prefetch(tf.data.AUTOTUNE)


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


def _copies(number, example, count):
    return tf.data.Dataset.from_tensors(example).repeat(count).enumerate(number * count)


def _open(split, example, seed=None, augment=None):
    """(image, label, name of a damaged picture, else empty); a random part, if there is a seed."""
    is_cropped = augment is not None and augment.crop
    seed = draw_seed(seed, CROP) if is_cropped else None
    if split.stored:
        return split.stored.open(*example, seed, augment)
    image, label = example
    if is_cropped:
        image = random_part(image, seed, augment.crop, augment.aspect, split.interpolation)
    return image, label, ""


def _accounted(split, batches):
    """(images, labels), what is damaged noted."""
    if split.stored:
        return split.stored.ledger.account(batches)
    return batches.map(lambda images, labels, damaged: (images, labels))
