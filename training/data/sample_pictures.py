"""A few real photographs in a config's format, for when its own data is not available."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from training.config import Data
from training.data.checks import named_splits

_LOWEST, _HIGHEST = 160, 400  # sides of a picture, in pixels


def write_sample_pictures(root: pathlib.Path, data: Data, count: int) -> None:
    """Writes JPEG files, cut from scikit-learn's two photographs, into every split of a config.

    Args:
        root: path of an empty folder.
        data: a `training.config.Data` whose `name` is "image_folder" or "imagenet_tfrecord".
        count: number of pictures per split; their labels are spread over the classes.
    """
    for seed, split in enumerate(named_splits(data)):
        pictures = list(_pictures(count, seed))
        if data.name == "image_folder":
            _write_folder(root / split, pictures, data.num_classes or count)
        else:
            _write_records(root / f"{split}-00000-of-00001", pictures, 1000)


def _pictures(count: int, seed: int) -> Iterator[bytes]:
    """Yields the contents of JPEG files."""
    from sklearn.datasets import load_sample_images

    photographs, draw = load_sample_images().images, np.random.default_rng(seed)
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        sides = draw.integers(_LOWEST, _HIGHEST, 2)
        top, left = (draw.integers(0, photograph.shape[:2] - sides)).tolist()
        part = photograph[top : top + sides[0], left : left + sides[1]]
        yield tf.io.encode_jpeg(part, quality=95).numpy()


def _write_folder(folder: pathlib.Path, pictures: Sequence[bytes], num_classes: int) -> None:
    """Every class gets a folder with a picture; if there are more classes, links to them."""
    written: list[pathlib.Path] = []
    for number in range(max(num_classes, len(pictures))):
        own = folder.resolve() / f"{number % num_classes:05}"
        own.mkdir(parents=True, exist_ok=True)
        if number < len(pictures):
            written.append(own / f"{number}.jpg")
            written[-1].write_bytes(pictures[number])
        else:
            (own / f"{number}.jpg").symlink_to(written[number % len(pictures)])


def _write_records(path: pathlib.Path, pictures: Sequence[bytes], num_classes: int) -> None:
    with tf.io.TFRecordWriter(str(path)) as file:
        for i, content in enumerate(pictures):
            file.write(_record(content, 1 + i * num_classes // len(pictures)))


def _record(content: bytes, label: int) -> bytes:
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
