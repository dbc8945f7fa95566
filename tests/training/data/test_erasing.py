"""Cutout and Random Erasing."""

import numpy as np
import pytest
import tensorflow as tf

from training.data.erasing import cut_out, erase

IMAGE = tf.fill((20, 30, 3), tf.constant(7, tf.uint8))


def rectangle(covered):
    """(top, left, height, width) of the covered pixels, which form a whole rectangle."""
    rows, columns = np.nonzero(covered)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert len(rows) == height * width
    return int(rows.min()), int(columns.min()), int(height), int(width)


def test_cutout_is_a_grey_square_around_any_point():
    found = []
    for i in range(300):
        image = cut_out(IMAGE, tf.constant([0, i]), 6).numpy()
        covered = (image != 7).any(-1)
        assert (image[covered] == 128).all()
        found.append(rectangle(covered))
    top, left, height, width = np.transpose(found)
    # The lowest centre is row 19, three rows below the square's upper edge.
    assert top.min() == left.min() == 0 and top.max() == 16 and left.max() == 26
    inside = (height == 6) & (width == 6)
    # The square lies inside if its centre is at least 3 from the upper and left edges, and so on.
    assert inside.mean() == pytest.approx((20 - 5) * (30 - 5) / 600, abs=0.08)


def test_erasing_covers_the_right_share_with_noise():
    areas, aspects, noise, count = [], [], [], 0
    for i in range(600):
        image = erase(IMAGE, tf.constant([1, i]), 0.5, 0.3).numpy()
        covered = (image != 7).any(-1)
        if not covered.any():
            continue
        count += 1
        rows, columns = np.nonzero(covered)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        areas.append(height * width / 600)
        aspects.append(height / width)
        noise.append(image[covered])
    assert count == pytest.approx(300, abs=50)
    assert min(areas) < 0.05 and 0.25 < max(areas) < 0.34
    assert np.mean(areas) == pytest.approx(0.16, abs=0.02)
    assert min(aspects) < 0.5 and max(aspects) > 2
    pixels = np.concatenate([each.ravel() for each in noise])
    assert pixels.mean() == pytest.approx(127.5, abs=4)
    assert (pixels == 0).mean() == pytest.approx(
        0.16, abs=0.03
    )  # a normal variable below mean - std


def test_a_rectangle_that_does_not_fit_is_cut_to_the_image():
    for i in range(50):
        image = erase(IMAGE[:4], tf.constant([0, i]), 1.0, 1.0)
        assert image.shape == (4, 30, 3) and (image.numpy() != 7).any()
