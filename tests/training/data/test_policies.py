"""RandAugment and AutoAugment, against the model garden's classes."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from tests.training.data.pictures import photographs
from training.config import Augment
from training.data import policies
from training.data.policies import (
    OPERATIONS,
    apply_operation,
    apply_policy,
    auto_augment,
    rand_augment,
)

REFERENCE = 224  # pixels: at this size, shifts and holes are the garden's


@pytest.fixture(scope="module")
def garden():
    from official.vision.ops import augment

    return augment


@pytest.fixture(scope="module")
def image():
    """A photograph of 32 x 32 pixels. Tests treat it as 224 wide: sizes in pixels do not scale."""
    return tf.image.resize(next(photographs(1)), (32, 32)).numpy().astype(np.uint8)


@pytest.fixture
def pixels_are_not_scaled(monkeypatch):
    monkeypatch.setattr(policies, "REFERENCE_SIDE", 32)


def test_the_operations_are_the_gardens(garden):
    assert list(OPERATIONS) == garden.RandAugment().available_ops


@pytest.mark.parametrize("level", [0.0, 3.0, 7.5, 10.0, 15.0, 20.0])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_the_gardens(
    garden, image, name, level, pixels_are_not_scaled, monkeypatch
):
    """With either sign, if there is one, and with the hole at the same place."""
    image = tf.constant(image)
    theirs = set()
    for sign in (1.0, -1.0):
        monkeypatch.setattr(garden, "_randomly_negate_tensor", lambda x, sign=sign: sign * x)
        monkeypatch.setattr(garden.tf.random, "uniform", lambda *_, maxval, **__: maxval // 3)
        func, _, arguments = garden._parse_policy_info(name, 1.0, level, [128] * 3, 40.0, 100.0)
        theirs.add(func(image, None, *arguments)[0].numpy().tobytes())
    monkeypatch.undo()
    monkeypatch.setattr(policies, "REFERENCE_SIDE", 32)
    monkeypatch.setattr(
        "training.data.erasing.random_points", lambda shape, seed, limits: tf.constant(limits) // 3
    )

    def ours(level, i):
        seed = tf.constant([0, i])
        return apply_operation(name, image, level, seed, translate=100, hole=40).numpy()

    assert {ours(level, i).tobytes() for i in range(6)} == theirs
    # A drawn level is a float32 tensor, whose products round differently.
    difference = np.abs(ours(level, 0).astype(int) - ours(tf.constant(level), 0))
    # At 15 every tenth row is sheared by half a pixel, which can round either way.
    assert difference.max() <= 1 or (level == 15 and (difference > 1).mean() < 0.1)


@pytest.fixture
def noted(monkeypatch):
    """Replaces a function that applies operations; returns (name, level or strength) of each."""

    def replace(function):
        found = []

        def note(name, image, level, *_, **__):
            def write(image, level):
                found.append((name, float(level)))
                return image

            return tf.numpy_function(write, [image, level], tf.uint8)

        monkeypatch.setattr(policies, function, note)
        return found

    return replace


def run(change, count):
    """Calls a function of a seed with `count` seeds, in a graph."""
    numbers = tf.data.Dataset.range(count)
    list(numbers.map(lambda i: change(tf.stack([tf.constant(0, tf.int64), i]))))


@pytest.fixture
def levels(image, noted):
    """Function from RandAugment's arguments to the levels of all operations of `count` images."""
    found = noted("apply_operation")

    def drawn(count, *arguments, **options):
        run(lambda seed: rand_augment(tf.constant(image), seed, *arguments, **options), count)
        return [level for _, level in found]

    return drawn


def test_magnitudes_that_vary_are_cut_off_at_both_ends(levels):
    found = levels(100, 3, 8.0, 2.0)
    assert min(found) >= 0 and max(found) == 10.0
    assert np.mean(found) == pytest.approx(7.8, abs=0.4) and np.std(found) > 1.2


def test_magnitudes_above_ten_are_cut_off_where_they_are_set(levels):
    found = levels(50, 3, 15.0, 2.0)
    assert max(found) == 15.0 and 12 < np.mean(found) < 15


def test_uniform_magnitudes_are_anything_up_to_the_largest(image, noted):
    found = noted("apply_operation")
    augment = Augment(policy="randaugment", magnitude=14, magnitude_uniform=True)
    run(lambda seed: apply_policy(tf.constant(image), seed, augment), 100)
    levels = [level for _, level in found]
    assert 0 <= min(levels) < 1 and 13 < max(levels) <= 14
    assert np.mean(levels) == pytest.approx(7, abs=1)  # 3.3 standard errors
    assert len(set(levels)) == len(levels) > 170


def test_every_operation_and_none_is_as_likely(image, noted):
    found = noted("apply_operation")
    run(lambda seed: rand_augment(tf.constant(image), seed, 2, 9.0), 850)
    chosen = collections.Counter(name for name, _ in found)
    chosen["none"] = 1700 - chosen.total()
    assert len(chosen) == len(OPERATIONS) + 1
    counts = np.array(list(chosen.values()))
    assert ((counts - 100) ** 2 / 100).sum() < 39.3  # chi-squared, 16 degrees: 99.9%


def test_sub_policies_and_their_probabilities_are_the_gardens(garden, image, noted, monkeypatch):
    monkeypatch.setattr(policies, "_strength", lambda name, level, *_, **__: level)
    found = noted("_apply")
    run(lambda seed: auto_augment(tf.constant(image), seed, "reduced_cifar10"), 2000)
    done = collections.Counter(found)
    expected = collections.Counter()
    steps = garden.AutoAugment("reduced_cifar10").policies
    for sub_policy in steps:
        for name, probability, level in sub_policy:
            expected[name, level] += 2000 * probability / len(steps)
    assert done.keys() <= expected.keys()
    for key, count in expected.items():
        assert done[key] == pytest.approx(count, abs=4.5 * np.sqrt(count) + 1), key


def options():
    """One of each kind, and all others as a sweep."""
    first = ({"policy": "randaugment", "magnitude": 9.0, "magnitude_std": 0.5},)
    first += ({"policy": "autoaugment_reduced_cifar10"},)
    others = ("randaugment", "autoaugment_v0", "autoaugment_reduced_imagenet")
    others += ("autoaugment_svhn", "autoaugment_simple")
    for each in (*first, *({"policy": name} for name in others)):
        marks = pytest.mark.slow if each in first else pytest.mark.sweep
        yield pytest.param(each, id="-".join(map(str, each.values())), marks=marks)


@pytest.mark.parametrize("options", list(options()))
def test_a_policy_is_a_function_of_its_seed_in_a_dataset(image, options):
    augment = Augment(**options)

    def change(i):
        return apply_policy(tf.constant(image), tf.stack([tf.constant(7, tf.int64), i]), augment)

    numbers = tf.data.Dataset.range(40).repeat(2)
    first, again = np.split(np.stack(list(numbers.map(change).as_numpy_iterator())), 2)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8 and first.shape == (40, 32, 32, 3)
    assert len({each.tobytes() for each in first}) > 10
