"""MixUp and CutMix: mix the images of a batch in pairs, with their labels."""

import tensorflow as tf

from keras_mlp.typing import Tensor
from training.config import Augment
from training.data.erasing import random_points


def mix_batch(
    images: tf.Tensor, labels: tf.Tensor, num_classes: int, seed: Tensor, augment: Augment
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes the images of a batch by MixUp or CutMix, as `augment` asks.

    Each image is mixed with a random other image of the batch. Damaged pictures, of label -1, are
    not mixed.

    Args:
        images: uint8 (B, H, W, C).
        labels: int64 (B,).
        num_classes: K.
        seed: pair of integers.
        augment: a `training.config.Augment`; it uses `mixup`, `cutmix` and `mix`.

    Returns:
        uint8 images (B, H, W, C), and float32 (B, K), the shares of the classes; they sum to 1, or
        to 0 for the label -1.
    """
    seeds = tf.random.split(tf.stack([tf.cast(part, tf.int64) for part in seed]), 3)
    is_mixed, is_cut = tf.unstack(tf.random.stateless_uniform((2,), seeds[0]))
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(images)[0]), seeds[1])
    partners, partner_labels = tf.gather(images, order), tf.gather(labels, order)
    keep = (labels < 0) | (partner_labels < 0) | (is_mixed >= augment.mix)

    def by_mixup() -> tuple[tf.Tensor, tf.Tensor]:
        return mix_up(images, partners, keep, seeds[2], augment.mixup)

    def by_cutmix() -> tuple[tf.Tensor, tf.Tensor]:
        return cut_mix(images, partners, keep, seeds[2], augment.cutmix)

    if augment.mixup and augment.cutmix:
        images, shares = tf.cond(is_cut < 0.5, by_cutmix, by_mixup)
    else:
        images, shares = by_mixup() if augment.mixup else by_cutmix()
    own, others = (tf.one_hot(each, num_classes) for each in (labels, partner_labels))
    return images, own * shares[:, None] + others * (1 - shares[:, None])


def mix_up(
    images: tf.Tensor, partners: tf.Tensor, keep: tf.Tensor, seed: Tensor, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Weighted averages of images (Zhang et al., arXiv:1710.09412).

    Args:
        images, partners: uint8 (B, H, W, C).
        keep: bool (B,), which images not to mix.
        seed: pair of integers.
        alpha: parameter of the symmetric Beta distribution of the weights.

    Returns:
        uint8 images (B, H, W, C), and the share of each first image, float32 (B,).
    """
    shares = tf.where(keep, 1.0, sample_beta(tf.shape(images)[0], seed, alpha))
    weights = shares[:, None, None, None]
    mixed = tf.cast(images, tf.float32) * weights + tf.cast(partners, tf.float32) * (1 - weights)
    return tf.cast(tf.round(mixed), tf.uint8), shares


def cut_mix(
    images: tf.Tensor, partners: tf.Tensor, keep: tf.Tensor, seed: Tensor, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """A rectangle of one image in another (Yun et al., arXiv:1905.04899).

    The rectangle has the image's aspect ratio, a share of its area from a Beta distribution and a
    random centre; it is clipped to the image. The returned shares are shares of the pixels.

    Args, Returns: as for `mix_up`.
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


def sample_beta(count: Tensor, seed: Tensor, alpha: float) -> tf.Tensor:
    """float32 (`count`,) from the symmetric Beta distribution with parameter `alpha`."""
    # In float32 both would round to 0 for a small `alpha`.
    gammas = tf.random.stateless_gamma(
        (2, count), seed, tf.constant(alpha, tf.float64), dtype=tf.float64
    )
    return tf.cast(tf.math.divide_no_nan(gammas[0], tf.reduce_sum(gammas, 0)), tf.float32)
