"""MixUp and CutMix: images of a batch mixed in pairs, and their labels with them."""

import tensorflow as tf

from training.data.erasing import random_points


def mix_batch(images, labels, num_classes, seed, augment):
    """Mixes the images of a batch by MixUp or CutMix, as far as `augment` asks for them.

    Each image is mixed with one other, at a random place in the batch. Damaged pictures, of label
    -1, are mixed with nothing.

    Args:
        images: uint8 (B, H, W, C).
        labels: int64 (B,).
        num_classes: K.
        seed: pair of integers.
        augment: a `training.config.Augment`, of which `mixup`, `cutmix` and `mix` count.

    Returns:
        uint8 images (B, H, W, C), and float32 (B, K): the shares of the classes, whose sum is 1, or
        0 where the label is -1.
    """
    seeds = tf.random.split(tf.stack([tf.cast(part, tf.int64) for part in seed]), 3)
    is_mixed, is_cut = tf.unstack(tf.random.stateless_uniform((2,), seeds[0]))
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(images)[0]), seeds[1])
    partners, partner_labels = tf.gather(images, order), tf.gather(labels, order)
    keep = (labels < 0) | (partner_labels < 0) | (is_mixed >= augment.mix)

    def by_mixup():
        return mix_up(images, partners, keep, seeds[2], augment.mixup)

    def by_cutmix():
        return cut_mix(images, partners, keep, seeds[2], augment.cutmix)

    if augment.mixup and augment.cutmix:
        images, shares = tf.cond(is_cut < 0.5, by_cutmix, by_mixup)
    else:
        images, shares = by_mixup() if augment.mixup else by_cutmix()
    own, others = (tf.one_hot(each, num_classes) for each in (labels, partner_labels))
    return images, own * shares[:, None] + others * (1 - shares[:, None])


def mix_up(images, partners, keep, seed, alpha):
    """Weighted means of images (Zhang et al., arXiv:1710.09412).

    Args:
        images, partners: uint8 (B, H, W, C).
        keep: bool (B,): which images stay as they are.
        seed: pair of integers.
        alpha: of the symmetric Beta distribution that the weights are from.

    Returns:
        uint8 images (B, H, W, C), and the share that each first image has of it, float32 (B,).
    """
    shares = tf.where(keep, 1.0, sample_beta(tf.shape(images)[0], seed, alpha))
    weights = shares[:, None, None, None]
    mixed = tf.cast(images, tf.float32) * weights + tf.cast(partners, tf.float32) * (1 - weights)
    return tf.cast(tf.round(mixed), tf.uint8), shares


def cut_mix(images, partners, keep, seed, alpha):
    """A rectangle of one image in another (Yun et al., arXiv:1905.04899).

    The rectangle has the image's aspect, and a share of its area that is from a Beta distribution;
    around a random point of the image, outside of which it is cut off. The shares that are returned
    are those of the pixels.

    Args, Returns: as `mix_up`.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seeds = tf.random.split(seed, 2)
    sides = tf.sqrt(1 - sample_beta(batch, seeds[0], alpha))[:, None] * [height, width]
    sides = tf.where(keep[:, None], 0, tf.cast(sides, tf.int32))
    starts = random_points((batch, 2), seeds[1], [height, width]) - sides // 2
    rows, columns = (
        (tf.range(length) >= starts[:, i, None])
        & (tf.range(length) < starts[:, i, None] + sides[:, i, None])
        for i, length in enumerate((height, width))
    )
    is_cut = rows[:, :, None] & columns[:, None, :]
    shares = 1 - tf.reduce_mean(tf.cast(is_cut, tf.float32), (1, 2))
    return tf.where(is_cut[..., None], partners, images), shares


def sample_beta(count, seed, alpha):
    """float32 (`count`,) from the symmetric Beta distribution with parameter `alpha`."""
    # In 32 bits both would round to 0 where `alpha` is small.
    gammas = tf.random.stateless_gamma(
        (2, count), seed, tf.constant(alpha, tf.float64), dtype=tf.float64
    )
    return tf.cast(tf.math.divide_no_nan(gammas[0], tf.reduce_sum(gammas, 0)), tf.float32)
