"""Metrics of a classifier's logits, accumulated batch by batch in float64."""

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15


class NotFiniteLogits(ValueError):
    """A model's logits are infinite or NaN: it has diverged, and nothing can be counted."""


class Judgement:
    """Loss, accuracy, confusion matrix and calibration of a classifier.

    It keeps only K x K counts and a few per bin, so its memory does not grow with the number of
    examples.

    A prediction is the class with the largest logit, the first of equals. A label is in the top 5
    if fewer than 5 classes come before it in that order. Confidence is the largest probability of
    the softmax; its bins have equal width, (i/15, (i + 1)/15].

    Args:
        num_classes: K.

    Attributes:
        confusion: int64 (K, K), examples of the row's class that were predicted as the column's.

    Example:
        >>> judgement = Judgement(2)
        >>> judgement.add([[4.0, 0.0], [3.0, 1.0]], [0, 1])
        >>> judgement.confusion.tolist()
        [[1, 0], [1, 0]]
        >>> judgement.summary()["accuracy"]
        0.5
    """

    def __init__(self, num_classes: int) -> None:
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.loss_sum, self.top5_count = 0.0, 0
        # For each bin: number of examples, sum of confidences, number of correct predictions.
        self.bins = np.zeros((3, CALIBRATION_BINS))

    def add(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Adds a batch.

        Args:
            logits: (B, K), finite.
            labels: (B,), integers from 0 to K - 1.

        Raises:
            NotFiniteLogits: a logit is not finite.
            ValueError: the shapes do not match, or a label is out of range.
        """
        logits, labels = _checked(logits, labels, len(self.confusion))
        probabilities, losses = _softmax_and_losses(logits, labels)
        predictions = np.argmax(logits, axis=-1)
        np.add.at(self.confusion, (labels, predictions), 1)
        self.loss_sum += float(losses.sum())
        self.top5_count += int((_ranks(logits, labels) < 5).sum())
        confidence = probabilities.max(axis=-1)
        # Rounding may push a float64 sum slightly above 1.
        bins = np.clip(np.ceil(confidence * CALIBRATION_BINS) - 1, 0, CALIBRATION_BINS - 1)
        for row, values in enumerate((np.ones_like(confidence), confidence, predictions == labels)):
            np.add.at(self.bins[row], bins.astype(int), values)

    @property
    def examples(self) -> int:
        """Number of examples so far."""
        return int(self.confusion.sum())

    def summary(self) -> dict[str, float]:
        """Summarises all batches.

        Returns:
            A dict: `examples`; `loss`, the mean cross-entropy in nats; `accuracy`, in [0, 1];
            `top5_accuracy`, in [0, 1], with more than 5 classes; `calibration_error`, the expected
            calibration error, in [0, 1].

        Raises:
            ValueError: there were no examples.
        """
        if not self.examples:
            raise ValueError("There are no examples to evaluate on.")
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

    def per_class(self) -> list[dict[str, float | None]]:
        """A dict for each class: `precision` and `recall`, in [0, 1], and `count`, its examples.

        `precision` is None for a class that was never predicted, `recall` for one without examples.
        """
        correct = np.diag(self.confusion)
        predictions, counts = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        return [
            {
                "precision": float(right / predicted) if predicted else None,
                "recall": float(right / count) if count else None,
                "count": int(count),
            }
            for right, predicted, count in zip(correct, predictions, counts, strict=True)
        ]

    def reliability(self) -> list[dict[str, float | None]]:
        """A dict for each bin of confidence: its bounds `above` and `up_to`; its `count`; its mean
        `confidence` and `accuracy`, None for an empty bin."""
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


def _checked(
    logits: npt.ArrayLike, labels: npt.ArrayLike, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or logits.shape != (len(labels), num_classes):
        raise ValueError(
            f"The model gives logits of shape {logits.shape} for {len(labels)} images; for "
            f"{num_classes} classes it must be ({len(labels)}, {num_classes})."
        )
    if not np.isfinite(logits).all():
        raise NotFiniteLogits("The model gives logits that are not finite.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"Labels must be from 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}."
        )
    return logits, labels


def _softmax_and_losses(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    sums = powers.sum(axis=-1)
    losses = np.log(sums) - shifted[np.arange(len(labels)), labels]
    return powers / sums[:, None], losses


def _ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the label's, by logit and, for equal logits, by number."""
    own = logits[np.arange(len(labels)), labels][:, None]
    is_first = np.arange(logits.shape[1]) < labels[:, None]
    return ((logits > own) | ((logits == own) & is_first)).sum(axis=-1)
