"""Ridge regression on frozen features from a few images of each class.

The protocol is that of big_vision's `evaluators/fewshot_lsr.py`: features are standardised with the
mean and deviation of the few training images, get a large constant for the bias, and are regressed
on targets of 1 for the true class and -1 for the others. One decomposition serves every L2.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from keras_mlp.typing import Array
from training.data.subsets import balanced_rows

# So large that the bias is hardly penalised.
_BIAS = 100.0
L2 = tuple(2.0**power for power in range(-10, 20))


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Features of images.

    Attributes:
        features: float (N, D).
        labels: int (N,), from 0.
    """

    features: Array
    labels: Array


@dataclasses.dataclass(frozen=True)
class FewShot:
    """What one number of images per class gives.

    Attributes:
        shots: images per class.
        l2: the penalty with the best mean accuracy on the held-out images, over all draws.
        held_out: that accuracy.
        test: the accuracy on the test images of each draw, with that penalty.
    """

    shots: int
    l2: float
    held_out: float
    test: list[float]


class Ridge:
    """Ridge regressions of one training set, for any penalty.

    Args:
        train: at least two images.
        num_classes: number of classes K.
    """

    def __init__(self, train: Labelled, num_classes: int) -> None:
        features = train.features.astype(np.float64)
        self.mean = features.mean(0)
        self.deviation = features.std(0) + 1e-5
        targets = 2.0 * np.eye(num_classes)[train.labels] - 1
        left, self.values, self.right = np.linalg.svd(self._standard(features), full_matrices=False)
        self.targets = left.T @ targets

    def logits(self, features: Array, penalties: Sequence[float]) -> Iterator[Array]:
        """The predictions (N, K) for features (N, D), for one penalty after the other."""
        projected = self._standard(features) @ self.right.T
        for penalty in penalties:
            shrunk = self.values / (self.values**2 + penalty)
            yield projected @ (shrunk[:, None] * self.targets)

    def accuracies(self, data: Labelled, penalties: Sequence[float]) -> Array:
        """The share of images whose largest prediction is the right one, for each penalty."""
        return np.array(
            [
                (logits.argmax(-1) == data.labels).mean()
                for logits in self.logits(data.features, penalties)
            ]
        )

    def _standard(self, features: Array) -> Array:
        standard = (features - self.mean) / self.deviation
        return np.pad(standard, ((0, 0), (0, 1)), constant_values=_BIAS)


def few_shot(
    train: Labelled,
    held_out: Labelled,
    test: Labelled,
    num_classes: int,
    shots: int,
    draws: int = 10,
) -> FewShot:
    """Measures one number of images per class.

    Args:
        train: what the few images are drawn from.
        held_out: on which the penalty is chosen.
        test: which has no say in any choice.
        num_classes: number of classes K.
        shots: images per class.
        draws: number of random choices of these images.

    Returns:
        A `FewShot`.

    Raises:
        ValueError: a class has too few images.
    """
    fewest = np.bincount(train.labels, minlength=num_classes).min()
    if fewest < shots:
        raise ValueError(f"`--shots` {shots} needs as many images of each class; one has {fewest}.")
    regressions = []
    for seed in range(draws):
        rows = balanced_rows(train.labels, shots, seed)
        few = Labelled(train.features[rows], train.labels[rows])
        regressions.append(Ridge(few, num_classes))
    means = np.mean([each.accuracies(held_out, L2) for each in regressions], axis=0)
    best = int(means.argmax())
    return FewShot(
        shots,
        L2[best],
        float(means[best]),
        [float(each.accuracies(test, L2[best : best + 1])[0]) for each in regressions],
    )
