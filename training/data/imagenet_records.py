"""ImageNet in the TFRecord files of the TensorFlow model garden."""

import os
import pathlib
import re
import struct
from collections.abc import Sequence

import tensorflow as tf

import keras_mlp

_FEATURES = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string),
    "image/class/label": tf.io.FixedLenFeature((), tf.int64),
}


class ImageNetRecords:
    """Files `ROOT/SPLIT-00000-of-01024`, ... as a source; see `open_source`.

    Each file holds `tf.train.Example`s with `image/encoded`, a JPEG or PNG file, and
    `image/class/label`, 1 to 1000.

    Args:
        root: path of the folder.
        splits: names of the splits to read, such as "train" and "validation".

    Raises:
        ValueError: files of a split are missing, or one is truncated.
    """

    channels: int | None = None  # decoded as the model asks
    image_shape: tuple[int, int, int] | None = None

    def __init__(self, root: pathlib.Path, splits: Sequence[str]) -> None:
        self.place = str(root)
        self.classes = list(keras_mlp.class_names("imagenet-1k"))
        files = {split: _files(root, split) for split in dict.fromkeys(splits)}
        self.counts = {
            split: [(str(path), count_records(path)) for path in paths]
            for split, paths in files.items()
        }
        self.splits = {split: sum(n for _, n in files) for split, files in self.counts.items()}

    def read(self, split: str, start: int, stop: int) -> tf.data.Dataset:
        parts = tf.data.Dataset.from_tensor_slices(self._parts(split, start, stop))
        return parts.interleave(
            _records,
            cycle_length=16,
            block_length=16,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        ).map(_parse)

    def content(self, stored: tf.Tensor) -> tf.Tensor:
        return stored

    def _parts(self, split: str, start: int, stop: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(files, records to skip, records to take) that make up a range of a split."""
        paths, skips, takes = [], [], []
        for path, count in self.counts[split]:
            skip, end = max(0, start), min(count, stop)
            if skip < end:
                paths.append(path)
                skips.append(skip)
                takes.append(end - skip)
            start, stop = start - count, stop - count
        return (
            tf.constant(paths, tf.string),
            tf.constant(skips, tf.int64),
            tf.constant(takes, tf.int64),
        )


def count_records(path: str | pathlib.Path) -> int:
    """Counts the records of a TFRecord file, reading only their lengths.

    Raises:
        ValueError: the file ends inside a record.
    """
    size, position, count = os.path.getsize(path), 0, 0
    with open(path, "rb") as file:
        while position < size:
            file.seek(position)
            # 8 bytes of length and 4 of its checksum, the record, and 4 bytes of its checksum.
            head = file.read(8)
            position += 16 + struct.unpack("<Q", head)[0] if len(head) == 8 else size + 1
            count += 1
    if position > size:
        raise ValueError(f"{path} is truncated inside record {count - 1}.")
    return count


def _files(root: pathlib.Path, split: str) -> list[pathlib.Path]:
    pattern = re.compile(r"(.+)-(\d+)-of-(\d+)")
    found: dict[str, list[tuple[pathlib.Path, int]]] = {}
    for path in sorted(pathlib.Path(root).iterdir()):
        if match := pattern.fullmatch(path.name):
            found.setdefault(match[1], []).append((path, int(match[3])))
    if split not in found:
        names = ", ".join(found) or "none"
        raise ValueError(f"{root} must hold files {split}-*-of-*; it has the splits: {names}.")
    paths = [path for path, _ in found[split]]
    if {total for _, total in found[split]} != {len(paths)}:
        raise ValueError(
            f"{root} holds {len(paths)} files of {split}, but the name {paths[-1].name} says how "
            "many there must be."
        )
    return paths


def _records(path: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
    records = tf.data.TFRecordDataset(path).enumerate().skip(skip).take(take)
    return records.map(lambda number, record: (path, number, record))


def _parse(
    path: tf.Tensor, number: tf.Tensor, record: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    example = tf.io.parse_single_example(record, _FEATURES)
    name = tf.strings.join([path, tf.strings.as_string(number)], ", record ")
    label = example["image/class/label"]
    wrong = tf.strings.join([name, ": `image/class/label` is not in 1 to 1000"])
    with tf.control_dependencies([tf.debugging.Assert((label >= 1) & (label <= 1000), [wrong])]):
        return example["image/encoded"], label - 1, name
