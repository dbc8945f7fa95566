"""A loaded SavedModel trains like the Keras model: masks, statistics, losses, frozen layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import RepMLPNet, export_saved_model
from tests.contract import with_random_weights
from tests.export.toys import some_images, some_pixels, toy


def assert_draws_in_training(loaded, batch):
    for train in (lambda: loaded(batch, training=True), lambda: loaded.train(batch)):
        first, second = train(), train()
        assert np.abs(first - second).max() > 1e-3
        assert np.abs(first - loaded(batch)).max() > 1e-3


@pytest.mark.parametrize("make_batch", [some_images, some_pixels])
def test_training_mode_draws_dropout(loaded, make_batch):
    assert_draws_in_training(loaded, make_batch(5))


def test_training_mode_drops_paths(tmp_path):
    path = export_saved_model(toy(num_layers=2, dropout_rate=0.0), tmp_path / "toy")
    assert_draws_in_training(tf.saved_model.load(str(path)), some_pixels(5))


def test_training_mode_changes_nothing_without_dropout(tmp_path):
    path = export_saved_model(toy(dropout_rate=0.0, drop_path_rate=0.0), tmp_path / "toy")
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_array_equal(loaded(some_pixels(5), training=True), loaded(some_pixels(5)))


def test_one_step_of_adam_moves_every_trainable_weight(exported):
    model, path = exported
    loaded = tf.saved_model.load(str(path))
    weights = list(loaded.trainable_variables)
    assert len(weights) == len(model.trainable_weights) > 0
    assert len(loaded.variables) == len(model.variables) > len(weights)  # including random states
    before = [weight.numpy() for weight in weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loaded(some_images(5), training=True) ** 2)
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    for weight, old in zip(weights, before, strict=True):
        assert np.any(weight.numpy() != old), weight.name


def test_frozen_layers_are_not_in_the_trainable_variables(tmp_path):
    model = toy()
    model.get_layer("stem").trainable = False
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    names = {variable.name for variable in loaded.variables}
    left_out = names - {variable.name for variable in loaded.trainable_variables}
    assert {"stem/projection/kernel:0", "stem/projection/bias:0"} <= left_out
    assert len(loaded.trainable_variables) == len(model.weights) - 2


def test_regularization_losses_are_those_of_the_model(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    frozen = keras.layers.Dense(2, kernel_regularizer="l2", trainable=False)
    x = frozen(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Dense(2, bias_regularizer="l1")(x))
    model.layers[-1].bias.assign([1.0, -2.0])
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    losses = [float(loss()) for loss in loaded.regularization_losses]
    assert len(losses) == 2 and min(losses) > 0
    np.testing.assert_allclose(losses, model.losses, rtol=1e-6)


def test_batch_normalization_statistics_move_in_training(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    )
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    statistics = [v for v in loaded.variables if "moving" in v.name]
    before = [v.numpy() for v in statistics]
    loaded(some_images(4))
    np.testing.assert_array_equal([v.numpy() for v in statistics], before)
    loaded(some_images(4), training=True)
    assert len(statistics) == 2
    assert np.all(np.not_equal([v.numpy() for v in statistics], before))


def test_a_frozen_batch_normalization_keeps_its_statistics(tmp_path):
    norm = keras.layers.BatchNormalization(gamma_regularizer="l2", trainable=False)
    model = keras.Sequential([keras.Input((8, 8, 3)), norm, keras.layers.Dense(2)])
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    before = [v.numpy() for v in loaded.variables]
    np.testing.assert_array_equal(loaded(some_images(4), training=True), loaded(some_images(4)))
    for variable, old in zip(loaded.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)
    assert len(loaded.trainable_variables) == 2
    assert model.losses == [] == list(loaded.regularization_losses)


def repmlpnet(**overrides):
    arguments = {
        "image_shape": (16, 16, 3),
        "patch_size": 4,
        "num_layers": (1,),
        "hidden_dim": (8,),
        "num_sharesets": (2,),
        "kernel_sizes": (3, 5),
        "mlp_ratio": 2,
        "num_classes": 5,
    }
    return with_random_weights(RepMLPNet(**{**arguments, **overrides}))


def test_a_repmlpnet_moves_its_statistics_as_the_keras_model_does(tmp_path):
    model = repmlpnet()
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    pixels = np.random.default_rng(1).integers(0, 256, (8, 16, 16, 3)).astype("uint8")
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=0, atol=2e-6)
    outputs = loaded(pixels, training=True)
    np.testing.assert_allclose(outputs, model(pixels, training=True), rtol=0, atol=1e-5)
    expected = {weight.path + ":0": weight for weight in model.non_trainable_weights}
    moved = [v for v in loaded.variables if v.name in expected]
    assert len(moved) == len(expected) > 10
    for variable in moved:
        np.testing.assert_allclose(variable, expected[variable.name], rtol=1e-4, atol=1e-6)
