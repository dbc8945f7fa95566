"""A SavedModel as Keras' own `TFSMLayer`: what works, and its pitfalls."""

import keras
import numpy as np
import pytest

from tests.clients.lesson import (
    IMAGES,
    RATE,
    STEPS,
    TARGETS,
    assert_same_weights,
    moved,
    student,
    taught_by_keras,
    values,
)


def pupil(path, training_endpoint="train"):
    layer = keras.layers.TFSMLayer(
        str(path), call_endpoint="serve", call_training_endpoint=training_endpoint
    )
    return layer, keras.Sequential([keras.Input((8, 8, 3)), layer])


def weights_of(layer):
    """By the names that Keras gave them; the layer calls "stem/kernel" "stem_kernel:0"."""
    return values([weight.value for weight in layer.weights])


def taught(path, optimizer):
    """The layer's weights before and after the lesson, and the model."""
    layer, model = pupil(path)
    if isinstance(optimizer, keras.optimizers.Adam):
        optimizer.build(model.trainable_variables)  # the workaround
    model.compile(optimizer, "mse")
    before = weights_of(layer)
    for _ in range(STEPS):
        model.train_on_batch(IMAGES, TARGETS)
    return before, weights_of(layer), model


def test_it_serves(exported):
    layer, _ = pupil(exported())
    np.testing.assert_allclose(layer(IMAGES), student()(IMAGES), rtol=0, atol=1e-6)


def test_it_learns_what_keras_learns_without_penalties(exported):
    _, after, _ = taught(exported(penalty=0), keras.optimizers.SGD(RATE))
    assert_same_weights(after, taught_by_keras(student(penalty=0))[1])


def test_it_leaves_the_penalties_out(exported):
    layer, model = pupil(exported())
    model(IMAGES, training=True)
    assert layer.losses == [] and len(student().losses) == 2
    _, after, _ = taught(exported(), keras.optimizers.SGD(RATE))
    assert_same_weights(after, taught_by_keras(student(penalty=0))[1])


def test_adam_moves_every_weight_once_it_is_built(exported):
    before, after, _ = taught(exported(), keras.optimizers.Adam(RATE))
    assert moved(before, after) == before.keys()


def test_adam_fails_if_it_is_not_built(exported):
    """When this test fails, Keras has fixed it: remove the workaround from docs/clients.md."""
    _, model = pupil(exported())
    model.compile(keras.optimizers.Adam(RATE), "mse")
    with pytest.raises(ValueError, match="stem_kernel:0_momentum' is not a valid scope name"):
        model.train_on_batch(IMAGES, TARGETS)


def test_what_was_frozen_before_export_trains(exported):
    """It reads the variables' own flags, which stay set, instead of `trainable_variables`."""
    before, after, _ = taught(exported(frozen=("stem",)), keras.optimizers.SGD(RATE))
    assert {"stem/kernel", "stem/bias"} <= moved(before, after)


@pytest.mark.parametrize(
    ("training_endpoint", "moving"),
    # The training endpoint runs although the layer is frozen.
    [("train", {"norm/moving_mean", "norm/moving_variance"}), ("serve", set())],
)
def test_frozen_in_the_client_the_weights_stay(exported, training_endpoint, moving):
    layer, _ = pupil(exported(), training_endpoint)
    layer.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(RATE), "mse")
    before = weights_of(layer)
    model.train_on_batch(IMAGES, TARGETS)
    assert moved(before, weights_of(layer)) == moving


def test_the_keras_file_reloads(exported, tmp_path):
    _, _, model = taught(exported(), keras.optimizers.SGD(RATE))
    model.save(tmp_path / "tuned.keras")
    reloaded = keras.models.load_model(tmp_path / "tuned.keras", safe_mode=False)
    np.testing.assert_allclose(reloaded(IMAGES), model(IMAGES), rtol=0, atol=1e-6)
    assert np.abs(reloaded(IMAGES) - student()(IMAGES)).max() > 1e-3
