"""MixUp and CutMix, against KerasCV's layers."""

import numpy as np
import pytest
import tensorflow as tf

from training.config import Augment
from training.data.mixing import cut_mix, mix_batch, mix_up, sample_beta

B, K = 64, 7


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (B, 12, 16, 3)).astype(np.uint8)
    return tf.constant(images), tf.constant(draw.integers(0, K, B))


def test_labels_are_the_shares_of_the_images():
    """Images of one colour each, so that a pixel shows which images it mixes."""
    labels = tf.range(10, dtype=tf.int64)
    colours = np.repeat(np.arange(10) * 20, 144 * 3).reshape(10, 12, 12, 3).astype(np.uint8)
    images, shares = mix_batch(tf.constant(colours), labels, 10, (0, 5), Augment(mixup=0.8))
    expected = shares.numpy() @ (np.arange(10) * 20)
    assert np.abs(images.numpy()[:, 0, 0, 0] - expected).max() <= 0.5 + 1e-3
    images, shares = mix_batch(tf.constant(colours), labels, 10, (0, 5), Augment(cutmix=1.0))
    for image, share in zip(images.numpy()[..., 0], shares.numpy(), strict=True):
        counts = np.bincount((image // 20).ravel(), minlength=10)
        np.testing.assert_allclose(counts / 144, share, atol=1e-6)


def test_the_partners_are_a_permutation():
    labels = tf.range(B, dtype=tf.int64)
    images = tf.zeros((B, 4, 4, 3), tf.uint8)
    orders = set()
    for step in range(3):
        _, shares = mix_batch(images, labels, B, (0, step), Augment(mixup=5.0))
        others = shares.numpy() - np.diag(np.diag(shares.numpy()))
        partners = [int(row.argmax()) if row.any() else i for i, row in enumerate(others)]
        assert sorted(partners) == list(range(B))
        orders.add(tuple(partners))
    assert len(orders) == 3


def test_mixup_is_kerascvs_for_the_same_draws(batch, monkeypatch):
    """Takes KerasCV's draws from TensorFlow's global generator and gives them to our code."""
    import keras_cv

    layer = keras_cv.layers.MixUp(0.4)
    images, _ = batch
    tf.random.set_seed(0)
    theirs, lam, order = layer._mixup(tf.cast(images, tf.float32))
    monkeypatch.setattr("training.data.mixing.sample_beta", lambda *_: tf.reshape(lam, [-1]))
    keep = tf.zeros(B, tf.bool)
    ours, shares = mix_up(images, tf.gather(images, order), keep, tf.constant([0, 0]), 0.4)
    np.testing.assert_array_equal(shares, tf.reshape(lam, [-1]))
    assert np.abs(ours.numpy() - theirs.numpy()).max() <= 0.5 + 1e-3


def test_cutmix_is_kerascvs_for_the_same_draws(batch, monkeypatch):
    import keras_cv

    layer = keras_cv.layers.CutMix(1.0)
    images, labels = batch
    beta = sample_beta(B, tf.constant([0, 9]), 1.0)
    monkeypatch.setattr(layer, "_sample_from_beta", lambda *_: beta)
    tf.random.set_seed(1)
    theirs, lam, order, y, x, *_ = layer._cutmix(images)
    monkeypatch.setattr("training.data.mixing.sample_beta", lambda *_: beta)
    monkeypatch.setattr("training.data.mixing.random_points", lambda *_: tf.stack([y, x], 1))
    keep = tf.zeros(B, tf.bool)
    ours, shares = cut_mix(images, tf.gather(images, order), keep, tf.constant([0, 0]), 1.0)
    np.testing.assert_array_equal(ours, theirs)
    # KerasCV's label counts the whole rectangle, even its part outside the image.
    assert (shares.numpy() >= lam.numpy() - 1e-6).all()
    one_hot = tf.one_hot(labels, K)
    inside = np.isclose(shares, lam, atol=1e-6)
    assert 0.05 < inside.mean() < 1
    theirs = layer._update_labels(one_hot, lam, order).numpy()
    ours = one_hot * shares[:, None] + tf.gather(one_hot, order) * (1 - shares[:, None])
    np.testing.assert_allclose(ours.numpy()[inside], theirs[inside], atol=1e-6)
