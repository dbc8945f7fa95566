"""A task that the source never saw, with few images: what every client learns in the same order."""

import dataclasses

import numpy as np

from training.config import Data
from training.data.pipeline import load_splits


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Images to learn from, in the order in which they come, and images to be judged by.

    Attributes:
        images: uint8 (steps * batch, H, W, C), the same image once an epoch.
        labels: int64 (steps * batch,).
        test_images, test_labels: as above, of other images, each once.
        batch: images in a step.
        classes: how many.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    batch: int
    classes: int

    def accuracy(self, logits):
        """Share of the test images whose largest logit is that of their label."""
        return float(np.mean(np.argmax(logits, -1) == self.test_labels))


class Digits:
    """The embedded digits at the size of a source: lessons for tuning and for the table.

    Args:
        image_shape: (H, W, 1) of the source; digits of 8 x 8 pixels are resized to it.
        data_dir: where TFDS keeps the prepared dataset; None for its own default.

    Raises:
        ValueError: the source takes colour images.
    """

    def __init__(self, image_shape, data_dir=None):
        data = Data(name="digits", data_dir=data_dir, validation_percent=20)
        splits = load_splits(data, tuple(image_shape))
        self._train = _arrays(splits.train)
        self._judges = {"tuning": _arrays(splits.validation), "test": _arrays(splits.test)}
        self._classes = len(splits.classes)

    def lesson(self, seed, judge, *, per_class, steps, batch):
        """A `Lesson`: which images, and their order, follow from the seed.

        Args:
            seed: whole number.
            judge: "tuning", images held out of train, or "test".
            per_class: images of each class to learn from.
            steps: how many.
            batch: images in a step.
        """
        rng = np.random.default_rng(seed)
        images, labels = self._train
        few = [rng.choice(np.flatnonzero(labels == k), per_class, False) for k in np.unique(labels)]
        few = np.concatenate(few)
        epochs = -(-steps * batch // len(few))
        order = np.concatenate([rng.permutation(few) for _ in range(epochs)])[: steps * batch]
        return Lesson(images[order], labels[order], *self._judges[judge], batch, self._classes)


def _arrays(split):
    images, labels = zip(*split.examples.as_numpy_iterator(), strict=True)
    return np.stack(images), np.stack(labels)
