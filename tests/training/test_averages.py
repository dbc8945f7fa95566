"""The moving average of weights: its formula, and that a run evaluates and saves it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.averages import Averages
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.train import build_model, train


@pytest.fixture
def model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Dense(2)(inputs)))
    return model


def test_follows_the_formula(model):
    averages = Averages(model, 0.6)
    expected = [np.array(weight) for weight in model.get_weights()]
    update = tf.function(averages.update)
    rng = np.random.default_rng(0)
    for step in range(1, 12):
        for weight in model.weights:
            weight.assign(rng.standard_normal(weight.shape))
        update(tf.constant(step))
        decay = min(0.6, (1 + step) / (10 + step))
        weights = model.get_weights()
        expected = [decay * a + (1 - decay) * w for a, w in zip(expected, weights, strict=True)]
    for variable, value in zip(averages.variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-6)


def test_moving_statistics_are_averaged_and_random_states_are_not():
    inputs = keras.Input((3,))
    outputs = keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(inputs))
    averages = Averages(keras.Model(inputs, outputs), 0.5)
    assert len(averages.variables) == 4


def test_in_place_gives_the_weights_back(model):
    averages = Averages(model, 0.5)
    own = model.get_weights()
    for variable in averages.variables:
        variable.assign(tf.fill(variable.shape, 7.0))
    with pytest.raises(RuntimeError), averages.in_place():
        assert all((weight == 7).all() for weight in model.get_weights())
        raise RuntimeError
    for weight, before in zip(model.get_weights(), own, strict=True):
        np.testing.assert_array_equal(weight, before)


@pytest.mark.slow
def test_a_run_saves_the_averages_and_its_checkpoints_hold_both(change, blank, tmp_path):
    config = change(epochs=1, optimizer={"ema": 0.99})
    train(config, tmp_path / "run")
    saved = keras.models.load_model(tmp_path / "run" / "model.keras").get_weights()
    model = build_model(config.model, 10, "float32")
    optimizer = build_optimizer(config.optimizer, model, total_steps=20, steps_per_epoch=20)
    averages = Averages(model, 0.99)
    manager = CheckpointManager(
        model,
        optimizer,
        tmp_path / "run" / "checkpoints",
        keep=2,
        state={"averages": averages.variables},
    )
    manager.restore_or_initialize()
    for value, average in zip(saved, averages.variables, strict=True):
        np.testing.assert_array_equal(value, average)
    moved = [np.abs(a - w).max() for a, w in zip(saved, model.get_weights(), strict=True)]
    assert max(moved) > 1e-3
