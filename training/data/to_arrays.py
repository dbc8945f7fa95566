"""A prepared TFDS data set, or a folder of pictures of one size, as arrays."""

import pathlib
import typing

import numpy as np
import tensorflow as tf

from keras_mlp.export.picture_headers import within_bound
from keras_mlp.typing import Array
from training.config import Data
from training.data.checks import check_names
from training.data.image_folder import ImageFolder
from training.data.prefetching import untuned
from training.data.sources import PreparedDataset, find_dataset


def source_arrays(
    name: str, data_dir: str | None = None
) -> tuple[dict[str, tuple[Array, Array]], list[str]]:
    """Decodes every picture of every split.

    Args:
        name: of a prepared TFDS data set, or path of a folder `SPLIT/CLASS/*.jpg`.
        data_dir: where TFDS keeps its prepared data sets; None for its default.

    Returns:
        From a split to its uint8 images (N, H, W, C) and int64 labels (N,), in the order of the
        files; and the names of the classes.

    Raises:
        ValueError: there is no such data, or pictures differ in size.
    """
    source: typing.Any  # either kind, see `training.data.sources.open_source`
    if pathlib.Path(name).is_dir():
        splits = tuple(sorted(each.name for each in pathlib.Path(name).iterdir() if each.is_dir()))
        if not splits:
            raise ValueError(f"{name} holds no folder SPLIT/CLASS.")
        # The split with all classes comes first.
        splits = tuple(sorted(splits, key=lambda split: split != "train"))
        source = ImageFolder(pathlib.Path(name), splits, Data())
    else:
        source = PreparedDataset(find_dataset(name, data_dir))
    check_names(source.classes, source.place)
    return {split: _columns(source, split) for split in source.splits}, source.classes


def _columns(source: typing.Any, split: str) -> tuple[Array, Array]:
    def decoded(stored: tf.Tensor) -> tf.Tensor:
        content = source.content(stored)
        if source.image_shape:
            return source.decode(content)
        content = within_bound(content, Data().max_pixels, "data.max_pixels")
        return tf.io.decode_image(content, 3, expand_animations=False)

    images: list[Array] = []
    labels: list[int] = []
    examples = source.read(split, 0, source.splits[split]).map(
        lambda stored, label, name: (decoded(stored), label, name), tf.data.AUTOTUNE
    )
    for image, label, name in untuned(examples).as_numpy_iterator():
        if images and image.shape != images[0].shape:
            raise ValueError(
                f"{name.decode()} is {image.shape}, the first picture {images[0].shape}: arrays "
                "need pictures of one size."
            )
        images.append(image)
        labels.append(label)
    return np.stack(images), np.array(labels, np.int64)
