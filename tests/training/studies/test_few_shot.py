"""Ridge regression on features: against scikit-learn, and what chooses the penalty."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from training.studies.few_shot import L2, Labelled, Ridge, few_shot


def blobs(count, seed, spread=1.0, classes=3, width=8):
    centers = np.random.default_rng(9).normal(size=(classes, width)) * 2
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return Labelled(centers[labels] + spread * rng.normal(size=(count, width)), labels)


@pytest.mark.parametrize("count", [6, 60])  # fewer and more images than features
def test_one_decomposition_gives_scikit_learns_solution_of_every_penalty(count):
    train, test = blobs(count, 0), blobs(20, 1)
    mean, deviation = train.features.mean(0), train.features.std(0) + 1e-5

    def standard(features):
        return np.pad((features - mean) / deviation, ((0, 0), (0, 1)), constant_values=100.0)

    targets = 2 * np.eye(3)[train.labels] - 1
    penalties = (0.01, 1.0, 300.0)
    for penalty, found in zip(
        penalties, Ridge(train, 3).logits(test.features, penalties), strict=True
    ):
        reference = Reference(alpha=penalty, fit_intercept=False, solver="svd")
        reference.fit(standard(train.features), targets)
        expected = reference.predict(standard(test.features))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_more_images_of_each_class_give_more():
    parts = blobs(300, 0, spread=2), blobs(150, 1, spread=2), blobs(600, 2, spread=2)
    one, many = (few_shot(*parts, num_classes=3, shots=shots) for shots in (1, 25))
    assert len(one.test) == 10 and len(set(one.test)) > 1
    assert 1 / 3 < np.mean(one.test) < np.mean(many.test) <= 1
    assert abs(many.held_out - np.mean(many.test)) < 0.1


def test_held_out_images_choose_the_penalty_and_test_images_do_not():
    train, held_out, test = blobs(90, 0, spread=3), blobs(90, 1, spread=3), blobs(90, 2, spread=3)
    found = few_shot(train, held_out, test, num_classes=3, shots=5)
    wrong = Labelled(test.features, (test.labels + 1) % 3)
    again = few_shot(train, held_out, wrong, num_classes=3, shots=5)
    assert again.l2 == found.l2 and again.held_out == found.held_out
    assert np.mean(again.test) < np.mean(found.test)
    assert found.l2 in L2


def test_too_few_images_are_an_error():
    data = blobs(14, 0)
    with pytest.raises(ValueError, match="`--shots` 5 needs as many images of each class; one has"):
        few_shot(data, data, data, num_classes=3, shots=5)
