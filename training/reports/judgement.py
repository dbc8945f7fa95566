"""What a classifier's logits are worth: counts that grow batch by batch, in float64."""

import numpy as np

CALIBRATION_BINS = 15


class Judgement:
    """Loss, accuracy, confusions and calibration of a classifier.

    Only counts are kept, K x K of them and a few for each bin, so that memory does not grow with
    the number of examples.

    A prediction is the class of the largest logit, the first of them where several are equal. A
    label is in the top 5 when fewer than 5 classes come before it in that order. Confidence is the
    largest probability of the softmax; its bins are of equal width, (i/15, (i + 1)/15].

    Args:
        num_classes: K.

    Attributes:
        confusion: int64 (K, K), how many examples of the row's class were taken for the column's.

    Example:
        >>> judgement = Judgement(2)
        >>> judgement.add([[4.0, 0.0], [3.0, 1.0]], [0, 1])
        >>> judgement.confusion.tolist()
        [[1, 0], [1, 0]]
        >>> judgement.summary()["accuracy"]
        0.5
    """

    def __init__(self, num_classes):
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.loss_sum, self.top5_count = 0.0, 0
        # Of each bin: examples, summed confidence, correct predictions.
        self.bins = np.zeros((3, CALIBRATION_BINS))

    def add(self, logits, labels):
        """Counts a batch.

        Args:
            logits: (B, K), finite.
            labels: (B,), whole numbers from 0 to K - 1.

        Raises:
            ValueError: the shapes do not fit, a logit is not finite, or a label is out of range.
        """
        logits, labels = _checked(logits, labels, len(self.confusion))
        probabilities, losses = _softmax_and_losses(logits, labels)
        predictions = np.argmax(logits, axis=-1)
        np.add.at(self.confusion, (labels, predictions), 1)
        self.loss_sum += float(losses.sum())
        self.top5_count += int((_ranks(logits, labels) < 5).sum())
        confidence = probabilities.max(axis=-1)
        # A sum of float64 may come out above 1 by a rounding.
        bins = np.clip(np.ceil(confidence * CALIBRATION_BINS) - 1, 0, CALIBRATION_BINS - 1)
        for row, values in enumerate((np.ones_like(confidence), confidence, predictions == labels)):
            np.add.at(self.bins[row], bins.astype(int), values)

    @property
    def examples(self):
        """How many were counted."""
        return int(self.confusion.sum())

    def summary(self):
        """A dict: `examples`; `loss`, the mean cross-entropy in nats; `accuracy`, and
        `top5_accuracy` where there are more than 5 classes, in [0, 1]; `calibration_error`, the
        expected one, in [0, 1].

        Raises:
            ValueError: no example was counted.
        """
        if not self.examples:
            raise ValueError("There is no example to judge by.")
        _, confidence, correct = self.bins
        summary = {
            "examples": self.examples,
            "loss": self.loss_sum / self.examples,
            "accuracy": float(np.trace(self.confusion)) / self.examples,
        }
        if len(self.confusion) > 5:
            summary["top5_accuracy"] = self.top5_count / self.examples
        summary["calibration_error"] = float(np.abs(correct - confidence).sum()) / self.examples
        return summary

    def per_class(self):
        """A dict for each class: `precision` and `recall` in [0, 1], None where nothing was taken
        for that class or nothing is of it, and `count`, how many examples are of it."""
        correct = np.diag(self.confusion)
        taken, there = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        return [
            {
                "precision": float(right / predicted) if predicted else None,
                "recall": float(right / count) if count else None,
                "count": int(count),
            }
            for right, predicted, count in zip(correct, taken, there, strict=True)
        ]

    def reliability(self):
        """A dict for each bin of confidence: `above` and `up_to`, its ends; `count`; the means
        `confidence` and `accuracy`, None where nothing falls into it."""
        edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1).tolist()
        return [
            {
                "above": low,
                "up_to": high,
                "count": int(count),
                "confidence": float(confidence / count) if count else None,
                "accuracy": float(correct / count) if count else None,
            }
            for low, high, count, confidence, correct in zip(
                edges[:-1], edges[1:], *self.bins, strict=True
            )
        ]


def _checked(logits, labels, num_classes):
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or logits.shape != (len(labels), num_classes):
        raise ValueError(
            f"The model gives logits of shape {logits.shape} for {len(labels)} images; for "
            f"{num_classes} classes it must be ({len(labels)}, {num_classes})."
        )
    if not np.isfinite(logits).all():
        raise ValueError("The model gives logits that are not finite.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"Labels must be from 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}."
        )
    return logits, labels


def _softmax_and_losses(logits, labels):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    sums = powers.sum(axis=-1)
    losses = np.log(sums) - shifted[np.arange(len(labels)), labels]
    return powers / sums[:, None], losses


def _ranks(logits, labels):
    """How many classes come before the label's, by logit and, where equal, by number."""
    own = logits[np.arange(len(labels)), labels][:, None]
    is_first = np.arange(logits.shape[1]) < labels[:, None]
    return ((logits > own) | ((logits == own) & is_first)).sum(axis=-1)
