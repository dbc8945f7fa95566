"""Augmentation as JAX functions, against the same in TensorFlow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from training.config import Augment
from training.data import decoding, policies
from training.data.array_resizing import resized_whole
from training.data.on_device.augmentation import augment_batch
from training.data.on_device.auto_augment_policies import AUTO_AUGMENT
from training.data.on_device.cropping import ATTEMPTS, random_box, resized_part
from training.data.on_device.mixing import cut_mix, mix_up, sample_beta
from training.data.on_device.operations import apply_operation
from training.data.on_device.policies import at_level
from training.data.on_device.resizing import resize_images


@pytest.fixture(scope="module")
def images():
    """A smooth picture, noise, and a uniform colour: uint8 (3, 32, 24, 3)."""
    rows, columns = np.mgrid[:32, :24]
    smooth = np.stack([rows * 7, columns * 10, rows * 3 + columns * 5], -1)
    noise = np.random.default_rng(0).integers(20, 230, (32, 24, 3))
    return np.stack([smooth, noise, np.full((32, 24, 3), 90)]).astype(np.uint8)


ARGUMENTS = {
    "AutoContrast": (0.0,),
    "Equalize": (0.0,),
    "Invert": (0.0,),
    "Rotate": (23.0, -30.0),
    "Posterize": (0.0, 3.0),
    "Solarize": (0.0, 100.0),
    "SolarizeAdd": (70.0,),
    "Color": (0.1, 1.0, 1.7),
    "Contrast": (0.1, 1.7),
    "Brightness": (0.1, 1.7),
    "Sharpness": (0.1, 1.7),
    "ShearX": (0.25, -0.1),
    "ShearY": (0.25, -0.1),
    "TranslateX": (5.0, -9.6),
    "TranslateY": (5.0, -9.6),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_operations_equal_the_gardens(name, images):
    garden = policies._garden().NAME_TO_FUNC[name]
    for argument in ARGUMENTS[name]:
        for image in map(tf.constant, images):
            if name in ("AutoContrast", "Equalize", "Invert"):
                expected = garden(image)
            elif name in ("Posterize", "Solarize", "SolarizeAdd"):
                expected = garden(image, np.uint8(argument) if name != "SolarizeAdd" else 70)
            elif name in ("Color", "Contrast", "Brightness", "Sharpness"):
                expected = garden(image, argument)
            else:
                expected = garden(image, argument, policies.GREY)
            got = apply_operation(
                (name, "Identity"),
                jnp.array(0),
                jnp.asarray(image.numpy(), jnp.float32),
                jnp.array(argument),
                jax.random.key(0),
            )
            difference = np.abs(np.asarray(got) - np.asarray(expected, np.float32))
            if name in ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"):
                assert np.mean(difference > 0) < 0.01  # half a pixel can round either way
            else:
                assert difference.max() <= 1


@pytest.mark.parametrize("policy", AUTO_AUGMENT)
def test_autoaugment_has_the_gardens_policies(policy):
    expected = policies._garden().AutoAugment(policy.removeprefix("autoaugment_")).policies
    assert [list(each) for each in AUTO_AUGMENT[policy]] == expected


@pytest.mark.parametrize(
    ("name", "level"), [("Solarize", 10), ("SolarizeAdd", 3), ("Posterize", 6), ("Color", 9)]
)
def test_levels_of_autoaugment_mean_what_they_mean_on_tensorflow(name, level, images):
    for image in images:
        expected = policies.apply_operation(
            name, tf.constant(image), level, (0, 1), translate=250, hole=100
        )
        got = at_level(
            (name, "Identity"),
            jnp.array(0),
            jnp.asarray(image, jnp.float32),
            jnp.array(float(level)),
            jax.random.key(0),
            translate=250,
            hole=100,
        )
        assert np.abs(np.asarray(got) - np.asarray(expected, np.float32)).max() <= 1


@pytest.mark.parametrize(
    "augment",
    [
        Augment(policy="randaugment", magnitude_std=0.5, magnitude_uniform=True),
        Augment(policy="trivialaugment", flip=True, cutout=8),
        Augment(policy="autoaugment_v0", mixup=0.2, cutmix=1.0, mix=0.5),
        Augment(rotate=10, zoom=0.1, translate=0.1, shift=2, share=0.5, erase=0.5),
        Augment(crop=0.3),
    ],
    ids=["randaugment", "trivialaugment", "autoaugment", "moves", "crop"],
)
def test_a_batch_is_a_function_of_its_key(augment, images):
    batch, labels = np.tile(images, (4, 1, 1, 1)), np.arange(12) % 10
    make = jax.jit(lambda key: augment_batch(batch, labels, key, augment, 10))
    first, again, other = make(jax.random.key(1)), make(jax.random.key(1)), make(jax.random.key(2))
    assert first[0].dtype == jnp.uint8 and first[0].shape == batch.shape
    np.testing.assert_array_equal(first[0], again[0])
    assert np.any(first[0] != other[0]) and np.any(first[0] != batch)
    np.testing.assert_allclose(first[1].sum(-1), 1.0, atol=1e-6)


def test_nothing_asked_changes_nothing(images):
    batch, shares = augment_batch(images, jnp.array([1, 0, 2]), jax.random.key(0), Augment(), 3)
    np.testing.assert_array_equal(batch, images)
    np.testing.assert_array_equal(shares, np.eye(3)[[1, 0, 2]])


def test_shifted_and_mirrored_images_are_parts_of_the_padded_one(images):
    batch, _ = augment_batch(
        images[:1], jnp.zeros(1, jnp.int32), jax.random.key(3), Augment(shift=4, flip=True), 10
    )
    padded = np.pad(images[0], ((4, 4), (4, 4), (0, 0)))
    parts = [
        padded[y : y + 32, x : x + 24][:, ::step]
        for y in range(9)
        for x in range(9)
        for step in (1, -1)
    ]
    # The image is mirrored after the shift, so this is a mirrored crop of the padded image.
    assert any(np.array_equal(batch[0], part) for part in parts)


def test_mixtures_have_the_shares_of_their_pixels():
    ones, twos = jnp.full((64, 16, 16, 3), 0.0), jnp.full((64, 16, 16, 3), 200.0)
    for mix in (mix_up, cut_mix):
        mixed, shares = mix(ones, twos, jax.random.key(0), 1.0)
        means = np.asarray(mixed).mean((1, 2, 3))
        np.testing.assert_allclose(means, 200 * (1 - np.asarray(shares)), atol=0.51)
        assert 0.15 < np.std(shares) < 0.4


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_have_the_variance_of_the_beta_distribution(alpha):
    draws = np.asarray(sample_beta(jax.random.key(0), 20_000, alpha))
    assert draws.min() >= 0 and draws.max() <= 1
    assert abs(draws.mean() - 0.5) < 0.01
    assert abs(draws.var() - 0.25 / (2 * alpha + 1)) < 0.005


@pytest.mark.parametrize("new_size", [(48, 12), (16, 36), (32, 24)])
def test_images_are_resized_as_tensorflow_does(new_size, images):
    expected = tf.image.resize(images, new_size, antialias=True)
    found = resize_images(jnp.asarray(images), new_size)
    assert found.dtype == jnp.uint8 and found.shape == (3, *new_size, 3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.501)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("box", [(0, 0, 32, 24), (3, 5, 20, 11), (31, 0, 1, 24), (10, 22, 22, 2)])
def test_parts_are_resized_as_tensorflow_does(box, interpolation, images):
    top, left, height, width = box
    for image in images:
        part = tf.constant(image)[top : top + height, left : left + width]
        expected = decoding.resize(part, image.shape, interpolation)
        found = resized_part(jnp.asarray(image, jnp.float32), jnp.array(box), interpolation)
        difference = np.abs(np.asarray(found) - np.asarray(expected, np.float32))
        # A pixel on half a level can round either way.
        assert difference.max() <= 1 and np.mean(difference > 0) < 0.01


@pytest.mark.parametrize(("smallest", "aspect"), [(0.08, 4 / 3), (0.5, 2.0), (0.9, 1.0)])
def test_parts_are_drawn_from_tensorflow_s_distribution(smallest, aspect):
    shape, count = (32, 24, 3), 2000
    draws = jax.random.uniform(jax.random.key(0), (count, ATTEMPTS, 4))
    found = jax.jit(jax.vmap(lambda own: random_box(shape, own, smallest, aspect)))(draws)
    seeds = tf.random.split((0, 1), count)
    expected = tf.map_fn(
        lambda seed: decoding.random_box(tf.constant(shape), seed, smallest, aspect), seeds
    )
    found, expected = (np.asarray(each, np.float64) for each in (found, expected))
    assert (found[:, :2] >= 0).all() and (found[:, :2] + found[:, 2:] <= shape[:2]).all()
    assert (found[:, 2] * found[:, 3] >= smallest * 32 * 24).all()
    for one, other in zip(found.T, expected.T, strict=True):
        spread = max(one.std(), other.std(), 1e-3)
        assert abs(one.mean() - other.mean()) < 4 * spread * (2 / count) ** 0.5
        assert abs(one.std() - other.std()) < 0.15 * spread


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("new_size", [(48, 12), (16, 36)])
def test_arrays_are_resized_as_tensorflow_does(new_size, interpolation, images):
    shape = (*new_size, 3)
    expected = np.stack([decoding.resize(image, shape, interpolation) for image in images])
    found = resized_whole(images, shape, interpolation)
    difference = np.abs(found.astype(np.int32) - expected.astype(np.int32))
    # A pixel on half a level can round either way.
    assert difference.max() <= 1 and np.mean(difference > 0) < 0.02
    assert resized_whole(images, images.shape[1:], interpolation) is images
