"""The endless stream of training batches, which can start at any step, and evaluation batches."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_mlp.typing import Tensor
from training.config import Augment
from training.data.augmentation import CROP, augment_image, check_augmentation, draw_seed
from training.data.decoding import random_part
from training.data.mixing import mix_batch
from training.data.prefetching import prefetched
from training.data.service import served
from training.data.splits import Split, Splits, evaluation_batches, load_splits
from training.engine.tensorflow.strategies import WHOLE, Share

__all__ = ["Split", "Splits", "evaluation_batches", "load_splits", "training_stream"]


def training_stream(
    split: Split,
    *,
    batch_size: int,
    seed: int,
    start_step: int,
    augment: Augment,
    share: Share = WHOLE,
    shard: str = "examples",
    service: str = "",
) -> tf.data.Dataset:
    """Endless training batches: each epoch has its own order, each example its own augmentation.

    The batch of step n is a function of `seed` and n alone, so a run that resumes at n sees what
    the first would have seen. Epochs follow each other without a gap: no example is dropped.

    Args:
        split: a `Split`.
        batch_size: images per batch, over all replicas.
        seed: seed of order and augmentation.
        start_step: number of batches to skip.
        augment: a `training.config.Augment`.
        share: this host's share of every batch; all of it by default.
        shard, service: see `training.config.Data`.

    Returns:
        A dataset of (uint8 images (B, H, W, C), labels) with B images for one replica. Labels are
        int64 (B,), -1 for a damaged picture, which does not count; or, if images are mixed, float32
        (B, K), the shares of the classes, all 0 for a damaged picture.

    Raises:
        ValueError: `augment` does not suit the images, or no service answers.
    """
    check_augmentation(augment, split)
    # A host with its own files counts its own examples, otherwise those of all hosts.
    hosts, host = (share.hosts, share.host) if shard == "files" else (1, 0)
    stored, size = split.stored.read(host, hosts) if split.stored else (split.examples, split.size)
    start = start_step * batch_size // hosts
    first = start // augment.repeats
    first -= first % size if service else 0  # workers share whole epochs
    stream = _endless(stored, size, min(size, split.shuffle_buffer), seed, first)
    parts, part = (1, 0) if shard == "files" else (share.hosts, share.host)
    stream = _own(stream, augment.repeats, start, parts, part, service)  # before any decoding

    def pair_of(number: tf.Tensor) -> tuple[int, tf.Tensor]:
        return seed, number * hosts + host

    if split.stored:
        stream = split.stored.open_numbered(
            stream, lambda number: draw_seed(pair_of(number), CROP), augment
        )

    def prepare(
        number: tf.Tensor, example: Any
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        pair = pair_of(number)
        if not split.stored:
            example = _from_memory(split, example, pair, augment)
        image, label, damaged = example
        return augment_image(image, pair, augment), label, damaged, pair[1]

    def mix(
        images: tf.Tensor, labels: tf.Tensor, damaged: tf.Tensor, indices: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        if augment.mixup or augment.cutmix:
            # The first example distinguishes this batch from those of other steps, hosts, replicas.
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
    return prefetched(stream)


def _endless(
    stored: tf.data.Dataset, size: int, buffer: int, seed: int, start: int
) -> tf.data.Dataset:
    """(number, example) from number `start`; numbers count the examples of all epochs."""

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        # Sets the seed of this function's own graph: the global seed must not change the order, and
        # a seed of 0 would be compared with `number`, whose value only a running graph knows.
        tf.random.set_seed(seed + 1)
        examples = stored.shuffle(buffer, seed=number, reshuffle_each_iteration=False)
        return examples.enumerate(number * size)

    epochs = tf.data.Dataset.range(start // size, np.iinfo(np.int64).max)
    return epochs.flat_map(epoch).skip(start % size)


def _own(
    stream: tf.data.Dataset, repeats: int, start: int, parts: int, part: int, service: str
) -> tf.data.Dataset:
    """A host's part of (number, example), each in `repeats` copies, from `start` on."""
    if repeats > 1:
        stream = stream.flat_map(lambda number, example: _copies(number, example, repeats))
    if service:
        # Each worker of the service has its own epochs, so select by number, not by position.
        return stream.filter(lambda number, _: (number >= start) & (number % parts == part))
    return stream.skip(start % repeats).shard(parts, part)  # `start` may be between two copies


def _copies(number: tf.Tensor, example: Any, count: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(example).repeat(count).enumerate(number * count)


def _from_memory(
    split: Split, example: tuple[tf.Tensor, tf.Tensor], pair: Tensor, augment: Augment
) -> tuple[tf.Tensor, tf.Tensor, str]:
    """(image, label, ""), with a random part of the image if `augment` asks for it."""
    image, label = example
    if augment.crop:
        own = draw_seed(pair, CROP)
        image = random_part(image, own, augment.crop, augment.aspect, split.interpolation)
    return image, label, ""
