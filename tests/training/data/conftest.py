"""Crops of real photographs, in many small sizes, in class folders."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images

CLASSES = ("china", "flower", "grey")


def picture(rng, name):
    """The bytes of a JPEG or PNG file: a random crop of a photograph."""
    photographs = load_sample_images().images
    height, width = rng.integers(40, 90, 2)
    image = photographs[name == "flower"]
    top, left = rng.integers(0, 300, 2)
    part = image[top : top + height, left : left + width]
    if name == "grey":
        return tf.io.encode_png(part.mean(-1, keepdims=True).astype("uint8")).numpy()
    return tf.io.encode_jpeg(part, quality=95).numpy()


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """`train/CLASS/*` with eight pictures for each of three classes, `test/CLASS/*` with two."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 2)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                suffix = ".png" if name == "grey" else ".jpg"
                file = pathlib.Path(root / split / name / f"{number}{suffix}")
                file.write_bytes(picture(rng, name))
    return root
