"""A progress bar over training steps."""

import sys
from collections.abc import Mapping

import tqdm


class ProgressBar:
    """Shows images per second, time left, and loss and accuracy of training and validation.

    Args:
        step: where the run begins.
        total_steps: where it ends.
        batch_size: images of one step.
        shown: False for the workers that are not the chief.
    """

    def __init__(self, step: int, total_steps: int, batch_size: int, *, shown: bool = True) -> None:
        self.batch_size = batch_size
        self.validation: dict[str, str] = {}
        self.bar = tqdm.tqdm(
            desc="train",
            total=total_steps * batch_size,
            initial=step * batch_size,
            unit="img",
            unit_scale=True,
            disable=not shown,
            # A log file gets a line now and then, a terminal a smooth bar.
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
        )

    def show(self, step: int, loss: float, accuracy: float) -> None:
        """Moves on to a step, with the means of the steps before it."""
        shown = {"loss": f"{loss:.3f}", "accuracy": f"{accuracy:.3f}", **self.validation}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(step * self.batch_size - self.bar.n)

    def show_validation(self, values: Mapping[str, float]) -> None:
        """Shows loss and accuracy of the validation split from now on."""
        self.validation = {
            "val_loss": f"{values['loss']:.3f}",
            "val_accuracy": f"{values['accuracy']:.3f}",
        }

    def close(self) -> None:
        self.bar.close()
