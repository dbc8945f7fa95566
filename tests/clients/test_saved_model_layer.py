"""A SavedModel as `keras_mlp.SavedModelLayer` in `fit`, compared with training the model itself."""

import keras
import numpy as np
import pytest

from keras_mlp import SavedModelLayer
from tests.clients.lesson import (
    IMAGES,
    RATE,
    STEPS,
    TARGETS,
    assert_same_weights,
    moved,
    student,
    taught_by_keras,
)


def pupil(path, **arguments):
    layer = SavedModelLayer(path, **arguments)
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    model.compile(keras.optimizers.SGD(RATE), "mse")
    return layer, model


def values(layer):
    """By the names that the layer gives its weights, with "_" for "/"."""
    return {weight.name: np.array(weight) for weight in layer.weights}


@pytest.mark.parametrize("frozen", [(), ("stem",), ("stem", "norm")])
def test_it_learns_what_keras_learns(exported, frozen):
    layer, model = pupil(exported(frozen=frozen))
    before = values(layer)
    losses = [float(model.train_on_batch(IMAGES, TARGETS)) for _ in range(STEPS)]
    expected_losses, expected = taught_by_keras(student(frozen=frozen))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    expected = {path.replace("/", "_"): value for path, value in expected.items()}
    assert_same_weights(values(layer), expected)
    assert {"head_kernel", "head_bias"} <= moved(before, values(layer))


def test_frozen_in_the_client_nothing_moves_and_no_penalty_counts(exported):
    layer = SavedModelLayer(exported(), trainable=False)
    model = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(RATE), "mse")
    before, outputs = values(layer), np.array(model(IMAGES))
    loss = float(model.train_on_batch(IMAGES, TARGETS))
    assert moved(before, values(layer)) == set()
    assert loss == pytest.approx(np.mean((outputs - TARGETS) ** 2), rel=1e-5)
    assert np.abs(model(IMAGES) - outputs).max() > 1e-3  # the new head has learned
