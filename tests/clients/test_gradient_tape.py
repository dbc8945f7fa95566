"""A SavedModel in a custom training loop: `tf.saved_model.load` and `tf.GradientTape`."""

import keras
import numpy as np
import tensorflow as tf

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


def taught(path, optimizer=None):
    """The loaded object after the lesson, and the losses of its steps."""
    loaded = tf.saved_model.load(str(path))
    weights = list(loaded.trainable_variables)
    optimizer = optimizer or keras.optimizers.SGD(RATE)
    losses = []
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((loaded(IMAGES, training=True) - TARGETS) ** 2)
            loss = tf.add_n([loss, *(penalty() for penalty in loaded.regularization_losses)])
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        losses.append(float(loss))
    return loaded, losses


def test_it_learns_what_keras_learns(exported):
    loaded, losses = taught(exported())
    expected_losses, expected = taught_by_keras(student())
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert_same_weights(values(loaded.variables), expected)


def test_the_penalties_count(exported):
    """Otherwise the test above would pass without them."""
    found = values(taught(exported())[0].variables)["stem/kernel"]
    without = taught_by_keras(student(penalty=0))[1]["stem/kernel"]
    assert np.abs(found - without).max() > 0.01


def test_adam_moves_every_trainable_weight(exported):
    before = values(tf.saved_model.load(str(exported())).variables)
    loaded, _ = taught(exported(), keras.optimizers.Adam(RATE))
    assert moved(before, values(loaded.variables)) == before.keys()


def test_what_was_frozen_before_export_stays_frozen(exported):
    path = exported(frozen=("stem", "norm"))
    before = values(tf.saved_model.load(str(path)).variables)
    loaded, _ = taught(path)
    assert moved(before, values(loaded.variables)) == {"head/kernel", "head/bias"}
    assert_same_weights(
        values(loaded.variables), taught_by_keras(student(frozen=("stem", "norm")))[1]
    )


def test_called_without_training_nothing_moves(exported):
    loaded = tf.saved_model.load(str(exported()))
    before = values(loaded.variables)
    outputs = loaded(IMAGES)
    np.testing.assert_allclose(outputs, student()(IMAGES), rtol=0, atol=1e-6)
    assert moved(before, values(loaded.variables)) == set()
