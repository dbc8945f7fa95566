"""A small model trained on scikit-learn's digits, in seconds."""

import dataclasses

import keras
import numpy as np
from sklearn.datasets import load_digits

from keras_mlp import ARCHITECTURES


@dataclasses.dataclass(frozen=True)
class Digits:
    """8 x 8 grey images, uint8 in [0, 255], and their labels; the last 360 are for testing."""

    train_pixels: np.ndarray
    train_labels: np.ndarray
    test_pixels: np.ndarray
    test_labels: np.ndarray


def digits():
    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype("uint8")[..., np.newaxis]
    return Digits(pixels[:-360], found.target[:-360], pixels[-360:], found.target[-360:])


def trained_on_digits(architecture, epochs=8):
    """Returns a pair: a trained model of the size pico/2, and the digits."""
    keras.utils.set_random_seed(0)
    data = digits()
    model = ARCHITECTURES[architecture].from_variant("pico/2", image_shape=(8, 8, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(3e-3), loss)
    model.fit(data.train_pixels, data.train_labels, batch_size=64, epochs=epochs, verbose=0)
    return model, data
