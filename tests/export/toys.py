"""Small models and pictures that the export tests share."""

import keras
import numpy as np

from keras_mlp import MLPMixer
from tests.contract import with_random_weights

IMAGE = {"shape": (4, 4, 3)}


def toy(**overrides):
    """An `MLPMixer` with dropout; with drop path from two layers on: the first block has none."""
    arguments = {
        "image_shape": (8, 8, 3),
        "patch_size": 4,
        "num_layers": 1,
        "hidden_dim": 8,
        "token_mlp_dim": 6,
        "channel_mlp_dim": 16,
        "num_classes": 3,
        "dropout_rate": 0.3,
        "drop_path_rate": 0.3,
    }
    return with_random_weights(MLPMixer(**{**arguments, **overrides}))


def some_pixels(batch):
    return np.random.default_rng(1).integers(0, 256, (batch, 8, 8, 3)).astype("uint8")


def some_images(batch):
    return np.random.default_rng(2).random((batch, 8, 8, 3), "float32")


def functional(*inputs, outputs=1):
    x = keras.layers.Flatten()(inputs[0] if len(inputs) == 1 else keras.layers.Add()(inputs))
    dense = [keras.layers.Dense(2)(x) for _ in range(outputs)]
    return keras.Model(
        list(inputs) if len(inputs) > 1 else inputs[0], dense if outputs > 1 else dense[0]
    )
