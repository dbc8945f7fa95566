"""A hand-written input pipeline in plain TensorFlow: the baseline for `training.data`.

It does the same work on every picture without the guarantees: it draws random numbers with stateful
operations, one damaged picture ends the run, and it cannot start at a given step.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

from keras_mlp.typing import Array
from training.config import Augment

if TYPE_CHECKING:
    from official.vision.ops.augment import RandAugment


def plain_stream(
    paths: Array,
    labels: Array,
    num_classes: int,
    shape: tuple[int, int, int],
    batch_size: int,
    augment: Augment,
) -> tf.data.Dataset:
    """Endless training batches.

    Args:
        paths, labels: paths and labels of the pictures.
        num_classes: K.
        shape: (H, W, 3) of the images.
        batch_size: B.
        augment: a `training.config.Augment`; it uses `crop`, `aspect`, `flip`, `policy` (None or
            "randaugment"), `mixup` and `cutmix` (both or neither).

    Returns:
        Dataset of (uint8 images (B, H, W, 3), labels): int64 (B,), or mixed, float32 (B, K).
    """
    policy = _rand_augment(augment) if augment.policy else None

    def prepare(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = tf.io.read_file(path)
        pixels = _random_part(content, augment) if augment.crop else tf.io.decode_jpeg(content, 3)
        image = tf.image.resize(pixels, shape[:2], antialias=True)
        image = tf.cast(tf.round(image), tf.uint8)
        if augment.flip:
            image = tf.image.random_flip_left_right(image)
        if policy:
            image = tf.ensure_shape(policy.distort(image), shape)
        return image, label

    stream = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths)).repeat()
    stream = stream.map(prepare, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=True)
    if augment.mixup:
        stream = stream.map(
            lambda images, labels: _mixed(images, tf.one_hot(labels, num_classes), augment),
            tf.data.AUTOTUNE,
        )
    return stream.prefetch(tf.data.AUTOTUNE)


def plain_decoding(paths: Array, batch_size: int) -> tf.data.Dataset:
    """Decoding alone: an endless dataset of the heights of `batch_size` pictures."""
    stream = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths)).repeat()
    # Pictures of different sizes cannot be batched.
    stream = stream.map(
        lambda path: tf.shape(tf.io.decode_jpeg(tf.io.read_file(path), 3))[0], tf.data.AUTOTUNE
    )
    return stream.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _random_part(content: tf.Tensor, augment: Augment) -> tf.Tensor:
    start, size, _ = tf.image.sample_distorted_bounding_box(
        tf.image.extract_jpeg_shape(content),
        tf.zeros((1, 0, 4)),
        min_object_covered=0.0,
        aspect_ratio_range=(1 / augment.aspect, augment.aspect),
        area_range=(augment.crop, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    return tf.image.decode_and_crop_jpeg(content, tf.concat([start[:2], size[:2]], 0), 3)


def _rand_augment(augment: Augment) -> "RandAugment":
    from official.vision.ops.augment import RandAugment  # takes seconds

    return RandAugment(augment.operations, augment.magnitude)


def _mixed(images: tf.Tensor, labels: tf.Tensor, augment: Augment) -> tuple[tf.Tensor, tf.Tensor]:
    """MixUp or CutMix, each for half of the batches."""
    order = tf.random.shuffle(tf.range(tf.shape(images)[0]))
    partners = tf.gather(images, order)
    images, shares = tf.cond(
        tf.random.uniform(()) < 0.5,
        lambda: _mix_up(images, partners, augment.mixup),
        lambda: _cut_mix(images, partners, augment.cutmix),
    )
    return images, labels * shares[:, None] + tf.gather(labels, order) * (1 - shares[:, None])


def _mix_up(images: tf.Tensor, partners: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    shares = _beta(tf.shape(images)[0], alpha)
    weights = shares[:, None, None, None]
    mixed = tf.cast(images, tf.float32) * weights + tf.cast(partners, tf.float32) * (1 - weights)
    return tf.cast(tf.round(mixed), tf.uint8), shares


def _cut_mix(images: tf.Tensor, partners: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    side = tf.sqrt(1 - _beta(count, alpha))
    rows = _is_inside(tf.range(height), tf.cast(side * height, tf.int32), height)
    columns = _is_inside(tf.range(width), tf.cast(side * width, tf.int32), width)
    is_cut = rows[:, :, None] & columns[:, None, :]
    shares = 1 - tf.reduce_mean(tf.cast(is_cut, tf.float32), (1, 2))
    return tf.where(is_cut[..., None], partners, images), shares


def _is_inside(places: tf.Tensor, sides: tf.Tensor, length: int) -> tf.Tensor:
    """bool (B, `length`): inside a span of length `sides` around a random place, one per image."""
    starts = tf.random.uniform(tf.shape(sides), 0, length, tf.int32) - sides // 2
    return (places >= starts[:, None]) & (places < (starts + sides)[:, None])


def _beta(count: tf.Tensor, alpha: float) -> tf.Tensor:
    one, other = tf.unstack(tf.random.gamma((2, count), alpha))
    return one / (one + other)
