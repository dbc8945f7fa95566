"""A folder of JPEG files of ImageNet's size, cut from two photographs."""

import pathlib

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_sample_images

CLASSES = ("china", "flower")
QUALITY = 90


def write_photographs(root: str | pathlib.Path, count: int, seed: int = 0) -> None:
    """Writes `root/train/CLASS/*.jpg`: random crops of scikit-learn's two photographs, resized.

    Args:
        root: path of a folder.
        count: number of files, half of each class; each has about 375 x 500 pixels.
        seed: seed of the crops.
    """
    rng = np.random.default_rng(seed)
    images = load_sample_images().images
    for number in range(count):
        folder = pathlib.Path(root) / "train" / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        encoded = tf.io.encode_jpeg(_part(images[number % 2], rng), quality=QUALITY)
        (folder / f"{number:05}.jpg").write_bytes(encoded.numpy())


def _part(image: np.ndarray, rng: np.random.Generator) -> tf.Tensor:
    """A random crop of a photograph, uint8 (300 to 450, 400 to 600, 3)."""
    height, width = rng.integers(300, image.shape[0]), rng.integers(400, image.shape[1])
    top, left = rng.integers(image.shape[0] - height), rng.integers(image.shape[1] - width)
    part = image[top : top + height, left : left + width]
    size = rng.integers(300, 450), rng.integers(400, 600)
    part = tf.saturate_cast(tf.round(tf.image.resize(part, size, "bicubic")), tf.uint8)
    return part[:, ::-1] if rng.integers(2) else part
