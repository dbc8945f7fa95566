"""Policies, erased rectangles and mixing do what their papers say."""

import numpy as np
import pytest
import tensorflow as tf

from training.config import Augment
from training.data.erasing import cut_out, erase
from training.data.mixing import cut_mix, mix_batch, mix_up, sample_beta
from training.data.policies import OPERATIONS, apply_operation, auto_augment, rand_augment

RNG = np.random.default_rng(0)
# Not of full contrast, which AutoContrast would leave unchanged.
IMAGE = tf.constant(RNG.integers(30, 200, (32, 32, 3)), tf.uint8)


@pytest.fixture(scope="module")
def garden():
    from official.vision.ops import augment

    return augment


@pytest.mark.slow
@pytest.mark.parametrize("name", [each for each in OPERATIONS if each != "Cutout"])
@pytest.mark.parametrize("level", [3.0, 9.0])
def test_an_operation_is_the_garden_s_at_the_same_level(garden, name, level):
    scale = 32 / 224
    arguments = list(garden.level_to_arg(40, 100 * scale)[name](level))
    function = garden.NAME_TO_FUNC[name]
    takes_fill = name in garden.REPLACE_FUNCS
    candidates = []
    for sign in (1, -1):
        signed = [sign * float(value) for value in arguments] if takes_fill else arguments
        fill = [[128] * 3] if takes_fill else []
        candidates.append(np.asarray(tf.autograph.to_graph(function)(IMAGE, *signed, *fill)))
    found = [
        np.asarray(apply_operation(name, IMAGE, level, (0, i), translate=100, hole=40))
        for i in range(12)
    ]
    if not takes_fill:
        for each in found:
            np.testing.assert_array_equal(each, candidates[0])
        return
    ways = [[np.array_equal(each, other) for other in candidates] for each in found]
    assert all(any(way) for way in ways)
    assert any(way[0] for way in ways) and any(way[1] for way in ways)  # both directions


@pytest.mark.slow
def test_rand_augment_draws_every_operation_alike(garden):
    changed = tf.function(lambda i: rand_augment(IMAGE, (0, i), 1, 9.0))
    results = [changed(tf.constant(i)).numpy().tobytes() for i in range(510)]
    names = ("AutoContrast", "Equalize", "Invert", "Posterize", "Color", "Sharpness")
    known = {}
    for name in names:
        image = apply_operation(name, IMAGE, 9.0, (0, 0), translate=100, hole=40)
        known[image.numpy().tobytes()] = name
    counts = {name: sum(known.get(each) == name for each in results) for name in names}
    # 510 draws among 17, the identity included: 30 each, with a standard deviation of 5.3.
    assert all(9 <= count <= 51 for count in counts.values()), counts
    assert results[:20] == [changed(tf.constant(i)).numpy().tobytes() for i in range(20)]


@pytest.mark.slow
def test_auto_augment_is_a_function_of_its_seed():
    changed = tf.function(lambda i: auto_augment(IMAGE, (0, i), "v0"))
    results = [changed(tf.constant(i)).numpy() for i in range(30)]
    assert len({each.tobytes() for each in results}) > 10
    np.testing.assert_array_equal(results[3], changed(tf.constant(3)))


def test_cut_out_covers_a_square_with_grey():
    image = tf.zeros((20, 20, 3), tf.uint8)
    areas = [int((cut_out(image, (0, i), 6).numpy()[..., 0] == 128).sum()) for i in range(60)]
    assert max(areas) == 36 and min(areas) >= 9  # in a corner, a quarter of it remains


def test_erasing_covers_a_rectangle_of_the_area_that_it_says():
    image = tf.zeros((40, 40, 1), tf.uint8)
    shares = []
    for i in range(120):
        covered = erase(image, (0, i), 0.5, 0.3).numpy()[..., 0] > 0
        if covered.any():
            rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
            shares.append((np.ptp(rows) + 1) * (np.ptp(columns) + 1) / 1600)
    assert 35 <= len(shares) <= 85  # half of them
    assert min(shares) >= 0.01 and max(shares) <= 0.32 and np.ptp(shares) > 0.15


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_from_the_beta_distribution(alpha):
    draws = sample_beta(20_000, (1, 2), alpha).numpy()
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


IMAGES = tf.constant(RNG.integers(0, 256, (16, 12, 10, 3)), tf.uint8)
PARTNERS = tf.reverse(IMAGES, [0])


def test_mix_up_is_a_weighted_mean():
    keep = tf.range(16) < 2
    mixed, shares = (each.numpy() for each in mix_up(IMAGES, PARTNERS, keep, (0, 1), 0.8))
    weights = shares[:, None, None, None]
    expected = IMAGES.numpy() * weights + PARTNERS.numpy() * (1 - weights)
    assert np.abs(mixed - expected).max() <= 0.5 + 1e-3
    assert (shares[:2] == 1).all() and np.std(shares[2:]) > 0.1


def test_cut_mix_takes_a_rectangle_of_the_share_that_it_says():
    keep = tf.range(16) < 2
    mixed, shares = (each.numpy() for each in cut_mix(IMAGES, PARTNERS, keep, (0, 1), 1.0))
    own, other = IMAGES.numpy(), PARTNERS.numpy()
    for i in range(16):
        is_other = (mixed[i] != own[i]).any(-1)
        np.testing.assert_array_equal(mixed[i][is_other], other[i][is_other])
        rows, columns = np.flatnonzero(is_other.any(1)), np.flatnonzero(is_other.any(0))
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) if is_other.any() else 0
        assert shares[i] == pytest.approx(1 - area / 120, abs=1e-6)
    assert (shares[:2] == 1).all() and np.ptp(shares) > 0.3


def test_labels_of_a_mixture_sum_to_1_and_those_of_damaged_pictures_to_0():
    labels = tf.constant([-1, *range(15)], tf.int64) % 5
    labels = tf.tensor_scatter_nd_update(labels, [[0]], tf.constant([-1], tf.int64))
    were_cut = []
    for step in range(20):
        augment = Augment(mixup=0.8, cutmix=1.0)
        images, shares = (each.numpy() for each in mix_batch(IMAGES, labels, 5, (0, step), augment))
        np.testing.assert_allclose(shares.sum(-1), [0.0] + [1.0] * 15, rtol=1e-6)
        np.testing.assert_array_equal(images[0], IMAGES[0])
        # At every place, CutMix takes the pixel of one of the images.
        same = (images[:, None] == IMAGES.numpy()[None]).all(-1)
        were_cut.append(bool(same.any(1).all()))
    assert 3 <= sum(were_cut) <= 17


def test_a_policy_needs_coloured_images():
    from training.data.policies import check_policy

    with pytest.raises(ValueError, match="needs images with 3 channels, got 1"):
        check_policy("randaugment", 1)
