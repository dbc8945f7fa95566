"""The digits of scikit-learn as images of any size, which the examples use as their data."""

from collections.abc import Sequence

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_mlp.typing import Array


def digit_images(image_shape: Sequence[int]) -> tuple[Array, Array, Array, Array]:
    """Real handwritten digits: 1,437 training and 360 test images.

    Args:
        image_shape: (H, W, channels) to resize the 8 x 8 images to, with equal channels.

    Returns:
        (train images, test images, train labels, test labels); images are uint8 (N, H, W,
        channels) in [0, 255], labels int64 (N,) from 0 to 9.
    """
    *size, channels = image_shape
    ink, labels = load_digits(return_X_y=True)
    images = ink.reshape(-1, 8, 8, 1).astype("float32") * (255 / 16)
    images = np.asarray(keras.ops.image.resize(images, size, data_format="channels_last"))
    pixels = np.repeat(images.round().clip(0, 255).astype("uint8"), channels, axis=-1)
    return train_test_split(pixels, labels, test_size=0.2, stratify=labels, random_state=0)
