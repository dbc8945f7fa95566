"""Steps at image and patch sizes that are drawn, through one set of weights."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.config import check_config
from training.engine.drawn_size import drawn_size
from training.engine.optimizers import build_optimizer
from training.engine.sizes import check_sizes, sizes_of
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.engine.tensorflow.resizing import resize_images
from training.engine.tensorflow.trainer import Trainer
from training.train import build_model

SIZES = (8, 12, (8, 4))


@pytest.mark.parametrize(("size", "new_size"), [((8, 10), (12, 4)), ((8, 8), (8, 20))])
def test_images_are_resized_as_tensorflow_does(size, new_size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 2)).astype("uint8")
    expected = tf.image.resize(images, new_size, antialias=True)
    found = resize_images(tf.constant(images), size, new_size)
    assert found.dtype == tf.uint8
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.501)
    floats = images.astype("float32")
    np.testing.assert_allclose(
        resize_images(tf.constant(floats), size, new_size), expected, rtol=0, atol=1e-3
    )


def new_run(config):
    """A trainer of a new model, with seeded weights, on batches that are always the same."""
    keras.utils.set_random_seed(0)
    model = build_model(config.model, 10, "float32")
    optimizer = build_optimizer(config.optimizer, model, total_steps=20, steps_per_epoch=5)
    trainer = Trainer(model, optimizer, config)
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype("uint8")
    batch = tf.data.Dataset.from_tensors((images, np.arange(12) % 10)).repeat()
    trainer.train_dataset = batch
    return trainer


@pytest.fixture
def sized(change):
    """A config of a small model with steps of several sizes."""

    def make(**data):
        config = change(optimizer={"warmup_epochs": 0.0, "learning_rate": 0.01})
        config.data = dataclasses.replace(config.data, batch_size=12, **data)
        config.model.arguments["num_layers"] = 1
        return config

    return make


def draws(config, steps):
    return [
        int(tf.random.stateless_uniform((), (config.runtime.seed, step), maxval=3, dtype=tf.int32))
        for step in range(steps)
    ]


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 2])
@pytest.mark.parametrize("count", [2, 5, 6])
def test_both_engines_draw_the_same_sizes(seed, count):
    for step in (*range(8), 2**20 + 1, 2**33 + 5):
        pair = tf.constant((seed, step), tf.int64)
        expected = tf.random.stateless_uniform((), pair, maxval=count, dtype=tf.int32)
        assert drawn_size(seed, step, count) == int(expected)


def test_every_step_trains_the_stored_weights_at_the_size_that_it_draws(sized):
    config = sized(image_sizes=SIZES)
    trainer = new_run(config)
    loss = trainer.train(tf.constant(6))["loss"]
    assert np.isfinite(loss) and len(set(draws(config, 6))) > 1
    # The same steps, each by a trainer that knows one size only.
    plain = new_run(sized())
    singles = [Trainer(plain.model, plain.optimizer, sized(image_sizes=(size,))) for size in SIZES]
    batch = next(iter(plain.train_dataset))
    for number in draws(config, 6):
        singles[number].train_dataset = tf.data.Dataset.from_tensors(batch)
        singles[number].train(tf.constant(1))
    for weight, expected in zip(trainer.model.weights, plain.model.weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-5, err_msg=weight.path)


def test_a_restarted_run_goes_through_the_same_sizes(sized, tmp_path):
    config = sized(image_sizes=SIZES)
    first, second = new_run(config), new_run(config)
    managers = [
        CheckpointManager(each.model, each.optimizer, tmp_path, keep=1, state=each.state)
        for each in (first, second)
    ]
    first.train(tf.constant(3))
    managers[0].save(checkpoint_number=3)
    first.train(tf.constant(3))
    managers[1].restore_or_initialize()
    second.train(tf.constant(3))
    assert int(second.step.numpy()) == 6
    for weight, expected in zip(second.model.weights, first.model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected, err_msg=weight.path)


def test_steps_of_equal_cost_take_fewer_images_at_larger_sizes(sized):
    config = sized(image_sizes=(8, 12, 4), equal_cost=True)
    trainer = new_run(config)
    shares = [size.share for size in sizes_of(trainer.model, config)]
    assert shares == [1.0, pytest.approx(16 / 36), 1.0]
    images, labels = next(iter(trainer.train_dataset))
    gradients = []
    for size in sizes_of(trainer.model, config)[1:2]:
        few, of_few = trainer._at(size, images, labels)
        assert few.shape == (5, 12, 12, 1) and of_few.shape == (5,)
        found, counted = trainer._gradients(few, of_few, size)
        gradients.append(found)
        assert float(counted[2]) == 5
    with tf.GradientTape() as tape:
        logits = size.model(few, training=True)
        losses = trainer._losses(of_few, logits)
        loss = tf.reduce_mean(losses)
    weights = [weight.value for weight in trainer.model.trainable_weights]
    for found, expected in zip(gradients[0], tape.gradient(loss, weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_patch_sizes_are_drawn_too(sized):
    config = sized(image_sizes=(8, 16))
    config.model.patch_sizes = (2, 4)
    trainer = new_run(config)
    grids = [size.model.grid for size in sizes_of(trainer.model, config)]
    assert grids == [(4, 4), (2, 2), (8, 8), (4, 4)]
    assert np.isfinite(trainer.train(tf.constant(4))["loss"])


def test_sizes_are_checked_before_the_model_is_built(sized):
    config = sized(image_sizes=(8, 9))
    with pytest.raises(ValueError, match=r"`data.image_sizes` holds \(9, 9\): .*nearest: 8 x 8"):
        check_sizes(config)
    config.data.image_sizes = (0,)
    with pytest.raises(ValueError, match=r"`data\.image_sizes\[0\]` must be a positive integer"):
        check_config(config)
    config.data.image_sizes = ()
    check_sizes(config)
    config.model.patch_sizes = (3,)
    with pytest.raises(ValueError, match=r"^`model.patch_sizes` holds \(3, 3\): .*of 3 x 3 pixels"):
        check_sizes(config)
    config.model.patch_sizes = ()
    assert len(sizes_of(keras.Sequential(), config)) == 1
    config.data.image_sizes = (8,)
    with pytest.raises(ValueError, match="need a keras_mlp model"):
        sizes_of(keras.Sequential(name="other"), config)
