"""Weights for other numbers of image channels than they were trained for."""

import numpy as np
import pytest

from keras_mlp import ARCHITECTURES, MLPMixer, load_checkpoint, save_checkpoint, with_image_shape
from keras_mlp.weights.input_channels import adapt_channels
from tests.contract import predict, with_random_weights
from tests.test_contract import ROWS, factory
from tests.weights.test_image_shape import toy

LAYOUTS = {"FFOnly": "official", "RepMLPNet": "official", "VisionPermutator": "official"}
MEAN, STD = (0.2, 0.5, 0.6), (0.1, 0.3, 0.25)  # far apart, so that an average would show


def with_channels(model, channels):
    return (*model.image_shape[:2], channels)


def grey(model, seed=3):
    shape = (2, *model.image_shape[:2], 1)
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def assert_grey_equals_its_copies(one, three):
    images = grey(three)
    expected = predict(three, np.repeat(images, 3, axis=-1))
    np.testing.assert_allclose(predict(one, images), expected, rtol=0, atol=2e-5)
    assert np.abs(expected - predict(three, 255 - np.repeat(images, 3, axis=-1))).max() > 1e-2


def timms_rule(kernel, channels):
    """`adapt_input_conv` of timm 1.0, in numpy: kernel (out, in, height, width)."""
    if channels == 1:
        return kernel.sum(axis=1, keepdims=True)
    repeats = int(np.ceil(channels / 3))
    return np.tile(kernel, (1, repeats, 1, 1))[:, :channels] * (3 / channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12, 13])
def test_follows_timms_rule(channels):
    kernel = np.random.default_rng(0).normal(size=(8, 3, 2, 5)).astype("float32")
    found = adapt_channels(kernel.transpose(2, 3, 1, 0), channels).transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(found, timms_rule(kernel, channels))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_grey_picture_gives_what_its_copies_in_three_colours_gave(architecture, tmp_path):
    # ImageNet's normalisation, which differs from colour to colour.
    three = with_random_weights(
        factory(architecture)(pixel_mean=(0.485, 0.456, 0.406), pixel_std=(0.229, 0.224, 0.225))
    )
    one = with_image_shape(three, with_channels(three, 1))
    assert one.image_shape == with_channels(three, 1)
    assert_grey_equals_its_copies(one, three)
    path = tmp_path / "w.safetensors"
    save_checkpoint(three, path, LAYOUTS.get(architecture, "timm"))
    loaded = type(one).from_config(one.get_config())
    load_checkpoint(loaded, path)
    np.testing.assert_allclose(predict(loaded, grey(one)), predict(one, grey(one)), atol=1e-6)


@pytest.mark.parametrize("architecture", ["MLPMixer", "RepMLPNet", "ConvMixer"])
def test_any_normalisation_per_channel_is_kept(architecture):
    three = toy(architecture, pixel_mean=MEAN, pixel_std=STD)
    one = with_image_shape(three, with_channels(three, 1))
    assert one.pixel_mean == pytest.approx(np.mean(MEAN))
    assert_grey_equals_its_copies(one, three)
    assert with_image_shape(three, with_channels(three, 4)).pixel_std == pytest.approx(np.mean(STD))


def test_images_that_are_normalised_already_are_left_alone():
    three = toy("MLPMixer", include_preprocessing=False, pixel_mean=MEAN, pixel_std=STD)
    one = with_image_shape(three, with_channels(three, 1))
    kernel = np.asarray(three.get_layer("stem").projection.kernel)
    found = np.asarray(one.get_layer("stem").projection.kernel)
    np.testing.assert_allclose(found, kernel.sum(axis=2, keepdims=True), rtol=1e-6)
    assert_grey_equals_its_copies(one, three)


@pytest.mark.parametrize("channels", [2, 4, 12, 13])
def test_every_way_to_load_gives_the_same(channels, tmp_path):
    three = with_random_weights(MLPMixer.from_variant("pico/2", num_classes=7))
    shape = with_channels(three, channels)
    changed = with_image_shape(three, shape)
    path = tmp_path / "w.npz"
    save_checkpoint(three, path)
    loaded = MLPMixer.from_variant("pico/2", num_classes=7, image_shape=shape)
    load_checkpoint(loaded, path)
    built = MLPMixer.from_preset(path, variant="pico/2", num_classes=7, image_shape=shape)
    for model in (loaded, built):
        for weight, other in zip(model.weights, changed.weights, strict=True):
            np.testing.assert_array_equal(weight, other)
    kernel = np.asarray(three.get_layer("stem").projection.kernel).transpose(3, 2, 0, 1)
    found = np.asarray(changed.get_layer("stem").projection.kernel).transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(found, timms_rule(kernel, channels).astype("float32"))


def test_size_and_channels_change_together(tmp_path):
    three = with_random_weights(MLPMixer.from_variant("pico/2"))
    path = tmp_path / "w.safetensors"
    save_checkpoint(three, path)
    found = MLPMixer.from_preset(path, variant="pico/2", image_shape=(12, 16, 1))
    assert_grey_equals_its_copies(found, with_image_shape(three, (12, 16, 3)))


def test_a_file_for_other_patches_too_is_still_refused(tmp_path):
    path = tmp_path / "w.npz"
    save_checkpoint(MLPMixer.from_variant("pico/2"), path)
    model = MLPMixer.from_variant("pico/2", image_shape=(16, 16, 1), patch_size=4)
    with pytest.raises(ValueError, match=r"stem.proj.weight gives \(2, 2, 3, 64\)"):
        load_checkpoint(model, path)


def test_every_architecture_names_the_weights_that_read_the_image():
    for name in ROWS:
        model = factory(name)()
        paths = {weight.path: weight for weight in model.weights}
        assert paths[model.input_kernel].shape[2] == 3
        assert len(paths[model.input_offset[0]].shape) == 1
