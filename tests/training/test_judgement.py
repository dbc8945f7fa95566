"""The arithmetic of an evaluation, against results by hand and scikit-learn."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from training.data.pipeline import Split
from training.engine.tensorflow.evaluator import evaluate
from training.reports.judgement import Judgement


def judged(logits, labels):
    judgement = Judgement(np.shape(logits)[1])
    for part in np.array_split(np.arange(len(labels)), 3):
        judgement.add(np.asarray(logits)[part], np.asarray(labels)[part])
    return judgement


def test_figures_by_hand():
    # Probabilities 0.75 (right), 0.75 (wrong), 0.5 (a tie: the first class wins, right).
    logits = [[np.log(3), 0.0], [0.0, np.log(3)], [0.0, 0.0]]
    judgement = judged(logits, [0, 0, 0])
    assert judgement.confusion.tolist() == [[2, 1], [0, 0]]
    summary = judgement.summary()
    assert summary["accuracy"] == 2 / 3 and summary["examples"] == 3
    assert summary["loss"] == pytest.approx((np.log(4 / 3) + np.log(4) + np.log(2)) / 3)
    # 0.75 lies in bin (11/15, 12/15]: confidence 0.75, accuracy 0.5; 0.5 in (7/15, 8/15].
    assert summary["calibration_error"] == pytest.approx((2 * 0.25 + 1 * 0.5) / 3)
    filled = {i: each for i, each in enumerate(judgement.reliability()) if each["count"]}
    assert sorted(filled) == [7, 11] and filled[11]["accuracy"] == 0.5
    assert "top5_accuracy" not in summary
    assert judgement.per_class() == [
        {"precision": 1.0, "recall": 2 / 3, "count": 3},
        {"precision": 0.0, "recall": None, "count": 0},
    ]


@pytest.mark.parametrize("num_classes", [3, 7, 1000])
def test_figures_of_scikit_learn(num_classes):
    rng = np.random.default_rng(num_classes)
    logits = rng.normal(0, 3, (500, num_classes)).astype("float32")
    labels = rng.integers(0, num_classes, 500)
    logits[np.arange(500), labels] += 3
    judgement, numbers = judged(logits, labels), np.arange(num_classes)
    predictions = logits.argmax(-1)
    expected = sklearn.metrics.confusion_matrix(labels, predictions, labels=numbers)
    np.testing.assert_array_equal(judgement.confusion, expected)
    precision, recall, _, count = sklearn.metrics.precision_recall_fscore_support(
        labels, predictions, labels=numbers, zero_division=np.nan
    )
    per_class = judgement.per_class()
    for key, values in (("precision", precision), ("recall", recall), ("count", count)):
        ours = np.array([each[key] for each in per_class], "float64")
        np.testing.assert_allclose(ours, values, rtol=1e-12)
    summary = judgement.summary()
    assert summary["accuracy"] == sklearn.metrics.accuracy_score(labels, predictions)
    probabilities = keras.activations.softmax(logits.astype("float64")).numpy()
    loss = sklearn.metrics.log_loss(labels, probabilities, labels=numbers)
    assert summary["loss"] == pytest.approx(loss, rel=1e-6)
    if num_classes > 5:
        top5 = sklearn.metrics.top_k_accuracy_score(labels, logits, k=5, labels=numbers)
        assert summary["top5_accuracy"] == top5
    assert summary["calibration_error"] == pytest.approx(_binned_error(probabilities, labels))


def _binned_error(probabilities, labels):
    """The expected calibration error bin by bin, as Guo et al. (2017) write it."""
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == labels
    error = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_among_equal_logits_the_first_class_comes_first():
    logits = np.zeros((7, 7), "float32")
    judgement = judged(logits, np.arange(7))
    assert judgement.summary()["top5_accuracy"] == 5 / 7
    assert judgement.confusion[:, 0].sum() == 7


def test_the_evaluator_of_training_counts_the_same():
    logits = np.random.default_rng(3).normal(0, 1, (21, 8)).astype("float32")
    logits[::4] = 0.0
    logits[3, 2] = logits[5, 5] = np.nan
    labels = np.arange(21) % 8
    rows = np.arange(21, dtype="uint8").reshape(21, 1, 1, 1)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((rows, labels)), 21)
    table = tf.constant(logits)

    def model(images, training):
        return tf.gather(table, tf.cast(images[:, 0, 0, 0], tf.int32))

    result = evaluate(model, split, 8)
    # NaN ranks above everything else, and is never right itself.
    counted = np.nan_to_num(logits, nan=9.0)
    counted[5, 5] = -9.0
    expected = judged(counted, labels).summary()
    assert result["top5_accuracy"] == pytest.approx(expected["top5_accuracy"])
    assert result["examples"] == 21


def test_the_evaluator_leaves_out_top_5_of_few_classes():
    images = tf.zeros((4, 1, 1, 5), tf.uint8)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, np.arange(4))), 4)
    result = evaluate(lambda x, training: tf.cast(x[:, 0, 0], tf.float32), split, 2)
    assert result == {"loss": pytest.approx(np.log(5)), "accuracy": 0.25, "examples": 4}


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((2, 3)), [0, 1], "must be \\(2, 4\\)"),
        (np.full((2, 4), np.nan), [0, 1], "not finite"),
        (np.zeros((2, 4)), [0, 4], "from 0 to 3, got 0 to 4"),
        (np.zeros((2, 4)), [-1, 0], "from 0 to 3, got -1 to 0"),
    ],
)
def test_what_cannot_be_counted_is_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        Judgement(4).add(logits, labels)


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="no example"):
        Judgement(4).summary()
