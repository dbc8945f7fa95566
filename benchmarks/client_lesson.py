"""A task with few images that the source never saw: every client learns it in the same order."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_mlp.typing import Array
from training.config import Data
from training.data.pipeline import load_splits
from training.data.splits import Split


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Training images, in the order in which they are used, and test images.

    Attributes:
        images: uint8 (steps * batch, H, W, C); each image occurs once per epoch.
        labels: int64 (steps * batch,).
        test_images, test_labels: the same for the test images, each once.
        batch: images per step.
        classes: number of classes.
    """

    images: Array
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    batch: int
    classes: int

    def accuracy(self, logits: Array) -> float:
        """Share of the test images whose largest logit is their label's."""
        return float(np.mean(np.argmax(logits, -1) == self.test_labels))


class Digits:
    """The embedded digits, resized for a source: lessons for tuning and for the table.

    Args:
        image_shape: (H, W, 1) of the source; the 8 x 8 digits are resized to it.
        data_dir: where TFDS keeps the prepared dataset; None for TFDS' default.

    Raises:
        ValueError: the source takes colour images.
    """

    def __init__(self, image_shape: Sequence[int], data_dir: str | None = None) -> None:
        data = Data(name="digits", data_dir=data_dir, validation_percent=20)
        height, width, channels = image_shape
        splits = load_splits(data, (height, width, channels))
        assert splits.validation is not None  # `validation_percent` is not 0
        self._train = _arrays(splits.train)
        self._judges = {"tuning": _arrays(splits.validation), "test": _arrays(splits.test)}
        self._classes = len(splits.classes)

    def lesson(self, seed: int, judge: str, *, per_class: int, steps: int, batch: int) -> Lesson:
        """Makes a `Lesson`, whose images and their order follow from the seed.

        Args:
            seed: an integer.
            judge: the images to test on: "tuning", held out of train, or "test".
            per_class: training images of each class.
            steps: number of steps.
            batch: images per step.
        """
        rng = np.random.default_rng(seed)
        images, labels = self._train
        few = np.concatenate(
            [rng.choice(np.flatnonzero(labels == k), per_class, False) for k in np.unique(labels)]
        )
        epochs = -(-steps * batch // len(few))
        order = np.concatenate([rng.permutation(few) for _ in range(epochs)])[: steps * batch]
        return Lesson(images[order], labels[order], *self._judges[judge], batch, self._classes)


def _arrays(split: Split) -> tuple[Array, Array]:
    images, labels = zip(*split.examples.as_numpy_iterator(), strict=True)
    return np.stack(images), np.stack(labels)
