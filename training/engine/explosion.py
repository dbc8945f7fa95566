"""Tells when a loss has exploded while it is still finite."""

import math
from collections.abc import Iterable
from typing import Any

# Far above the first steps from random weights, and above an over-confident model on new images.
_FACTOR = 10.0


class LossLimits:
    """The losses above which a run has diverged: ten times that of a uniform guess.

    Fewer than ten classes count as ten. A loss that is not finite is above every limit.

    Args:
        loss: `optimizer.loss`, "softmax" or "sigmoid".
        num_classes: K.

    Attributes:
        train: limit of the training loss.
        evaluation: limit of the loss on validation and test images, always a cross-entropy.
    """

    def __init__(self, loss: str, num_classes: int) -> None:
        classes = max(num_classes, 10)
        self.evaluation = _FACTOR * math.log(classes)
        self.train = _FACTOR * classes * math.log(2) if loss == "sigmoid" else self.evaluation

    def exceeded(self, split: str, step: int, loss: float | None) -> dict[str, Any] | None:
        """A dict if the loss of a split ("train", "validation", "test") is above its limit.

        A loss that was read from a JSON file is None if it was not finite.

        Returns:
            `split`, `step`, `loss` (None if it is not finite) and `limit`; or None.
        """
        limit = self.train if split == "train" else self.evaluation
        if loss is not None and loss <= limit:
            return None
        shown = loss if loss is not None and math.isfinite(loss) else None
        return {"split": split, "step": step, "loss": shown, "limit": round(limit, 2)}

    def first_exceeded(
        self, history: Iterable[dict[str, Any]], test: dict[str, Any], steps: int
    ) -> dict[str, Any] | None:
        """The first of a learning curve's losses, then the test loss, that is above its limit."""
        for entry in history:
            for split in ("train", "validation"):
                if split in entry and (
                    found := self.exceeded(split, entry["step"], entry[split]["loss"])
                ):
                    return found
        return self.exceeded("test", steps, test["loss"])


def described(exceeded: dict[str, Any]) -> str:
    """A sentence that says that a loss is above its limit."""
    names = {"train": "training loss", "validation": "validation loss", "test": "test loss"}
    loss = exceeded["loss"]
    value = "not finite" if loss is None else f"{loss:.3g}"
    return (
        f"The {names[exceeded['split']]} is {value} at step {exceeded['step']}, above "
        f"{exceeded['limit']:g} (ten times that of a uniform guess): the run has diverged."
    )
