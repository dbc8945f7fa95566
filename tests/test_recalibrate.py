"""BatchNorm's moving statistics from images of one size."""

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp.layers.tree import sublayers
from tests.contract import predict, some_pixels, with_random_weights
from tests.test_contract import factory


def norms_of(model):
    return [each for each in sublayers(model) if isinstance(each, keras.layers.BatchNormalization)]


def some_batches(model, count=3, batch=8):
    shape = (count, batch, *model.image_shape)
    return np.random.default_rng(1).integers(0, 256, shape).astype("uint8")


@pytest.mark.parametrize("architecture", ["ConvMixer", "RepMLPNet"])
def test_inference_is_then_that_of_training_on_the_same_images(architecture):
    model = with_random_weights(factory(architecture)())
    (images,) = some_batches(model, count=1)
    others = {weight.path: np.array(weight) for weight in model.weights}
    expected = np.asarray(model(images, training=True))  # moves the statistics a little
    assert np.abs(predict(model, images) - expected).max() > 1e-2
    keras_mlp.recalibrate(model, [images])
    np.testing.assert_allclose(predict(model, images), expected, rtol=0, atol=1e-3)
    for weight in model.weights:
        moved = not np.array_equal(weight, others[weight.path])
        assert moved == (weight.name in ("moving_mean", "moving_variance")), weight.path


def test_statistics_are_means_over_the_batches():
    model = with_random_weights(factory("ConvMixer")())
    batches = some_batches(model)
    first = norms_of(model)[0]  # nothing before it depends on statistics
    found = []
    for batch in batches:
        keras_mlp.recalibrate(model, [batch])
        found.append([np.array(first.moving_mean), np.array(first.moving_variance)])
    keras_mlp.recalibrate(model, iter(batches))
    for statistic, each in zip(
        (first.moving_mean, first.moving_variance), zip(*found, strict=True), strict=True
    ):
        np.testing.assert_allclose(statistic, np.mean(each, axis=0), rtol=1e-4)


def test_stochastic_depth_is_off_and_everything_is_as_before_afterwards():
    rate = {"drop_path_rate": 0.5}
    plain, dropping = (factory("RepMLPNet")(**each) for each in ({}, rate))
    plain = with_random_weights(plain)
    for weight, other in zip(dropping.weights, plain.weights, strict=True):
        weight.assign(other)
    momenta = [norm.momentum for norm in norms_of(dropping)]
    rates = [getattr(each, "rate", None) for each in sublayers(dropping)]
    assert any(rates)
    batches = some_batches(plain)
    for model in (plain, dropping):
        keras_mlp.recalibrate(model, batches)
    for one, other in zip(norms_of(plain), norms_of(dropping), strict=True):
        np.testing.assert_array_equal(one.moving_variance, other.moving_variance)
    assert momenta == [norm.momentum for norm in norms_of(dropping)]
    assert rates == [getattr(each, "rate", None) for each in sublayers(dropping)]


def test_frozen_statistics_stay():
    model = with_random_weights(factory("ConvMixer")())
    first, *others = norms_of(model)
    first.trainable = False
    before = np.array(first.moving_mean)
    keras_mlp.recalibrate(model, some_batches(model))
    np.testing.assert_array_equal(first.moving_mean, before)
    for norm in others:
        norm.trainable = False
    with pytest.raises(ValueError, match="no BatchNorm that trains"):
        keras_mlp.recalibrate(model, some_batches(model))


def test_statistics_that_are_no_numbers_are_replaced():
    model = factory("ConvMixer")(num_classes=3)
    for weight in model.non_trainable_weights:
        if "moving" in weight.path:
            weight.assign(np.full(weight.shape, np.nan))
    keras_mlp.recalibrate(model, [some_pixels(model, batch=8)])
    assert np.isfinite(predict(model, some_pixels(model))).all()


def test_an_error_leaves_the_statistics_as_they_were():
    model = with_random_weights(factory("ConvMixer")())
    before = model.get_weights()

    def broken():
        yield some_pixels(model)
        raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        keras_mlp.recalibrate(model, broken())
    with pytest.raises(ValueError, match="`batches` is empty"):
        keras_mlp.recalibrate(model, [])
    images = some_pixels(model)
    for bad in (None, 3, images, [images, None], [images, images[:, :4]], [images[:0]], ["a"]):
        with pytest.raises(ValueError, match=r"`batches` must .*arrays of images \(B, 16, 24, 3\)"):
            keras_mlp.recalibrate(model, bad)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_that_cannot_be_recalibrated_are_refused():
    with pytest.raises(ValueError, match="no BatchNorm that trains"):
        keras_mlp.recalibrate(factory("MLPMixer")(), [])
    model = factory("ConvMixer")()
    height, width, channels = model.image_shape
    with pytest.raises(ValueError, match="is a view of"):
        keras_mlp.recalibrate(model.at((2 * height, width, channels)), [])
    with pytest.raises(ValueError, match="must be a keras_mlp model"):
        keras_mlp.recalibrate(keras.Sequential(), [])
