"""Writes crops of real photographs into files for tests."""

import numpy as np
import tensorflow as tf


def photographs(count, seed=0):
    """uint8 images of many sizes: crops of the two photographs that scikit-learn ships."""
    from sklearn.datasets import load_sample_images

    sources, draw = load_sample_images().images, np.random.default_rng(seed)
    for i in range(count):
        height, width = (int(side) for side in draw.integers(24, 90, 2))
        top, left = int(draw.integers(0, 427 - height)), int(draw.integers(0, 640 - width))
        yield sources[i % 2][top : top + height, left : left + width]


def write_folder(root, split, counts, seed=0):
    """Writes `counts[class]` pictures for each class, JPEG and PNG in turn; returns the paths."""
    paths = []
    for name, count in counts.items():
        folder = root / split / name
        folder.mkdir(parents=True)
        for i, image in enumerate(photographs(count, seed)):
            is_png = i % 3 == 2
            encoded = tf.io.encode_png(image) if is_png else tf.io.encode_jpeg(image, quality=95)
            paths.append(folder / f"{i:03}.{'png' if is_png else 'jpg'}")
            paths[-1].write_bytes(encoded.numpy())
    return paths


def record(encoded, label):
    """A record of the model garden's ImageNet files."""
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_records(root, split, counts):
    """Writes one file for each number of records in `counts`; labels count up from 1."""
    label = 0
    for shard, count in enumerate(counts):
        path = str(root / f"{split}-{shard:05}-of-{len(counts):05}")
        with tf.io.TFRecordWriter(path) as file:
            for image in photographs(count, seed=shard):
                label += 1
                file.write(record(tf.io.encode_jpeg(image, quality=95).numpy(), label))
