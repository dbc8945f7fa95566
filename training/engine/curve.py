"""The learning curve of a run as it grows: what it warns of, and the best checkpoint on it."""

import logging
from typing import Any

from training.engine.best import BestCheckpoint, judged_by
from training.engine.explosion import LossLimits, described
from training.engine.workdir import Workdir

log = logging.getLogger(__name__)


class Curve:
    """Adds points to a run's learning curve.

    Where no images are held out for validation, a checkpoint is judged by the training loss of the
    epoch that begins with it: the one before was measured on other weights.

    Args:
        folder: of the run.
        limits: above which a loss is warned of, once.
        start: the step that the run continues from.

    Attributes:
        history: the points so far.
    """

    def __init__(self, folder: Workdir, limits: LossLimits, start: int) -> None:
        self.folder = folder
        self.limits = limits
        self.history = folder.read_history(start)
        self.best = BestCheckpoint(folder.checkpoints)
        self.warned = False
        if self.last_step == start:  # a kill may have come before it was offered
            self.saved()

    @property
    def last_step(self) -> int:
        """That of the last point; 0 before the first."""
        return int(self.history[-1]["step"]) if self.history else 0

    @property
    def seconds(self) -> float:
        """The seconds until the last point."""
        return float(self.history[-1]["seconds"]) if self.history else 0.0

    def watch(self, split: str, step: int, loss: float) -> None:
        """Warns once if a loss is above its limit."""
        exceeded = self.limits.exceeded(split, step, loss)
        if exceeded and not self.warned and self.folder.chief:
            self.warned = True
            hint = "A smaller `optimizer.learning_rate` or a longer warm-up may help."
            log.warning("%s %s%s", described(exceeded), hint, self.way_out())

    def add(self, entry: dict[str, Any]) -> None:
        """Adds a point, before its checkpoint is saved."""
        for split in ("train", "validation"):
            if split in entry:
                self.watch(split, entry["step"], entry[split]["loss"])
        if self.history and "validation" not in entry and self.folder.chief:
            before = self.history[-1]
            self.best.offer(judged_by(entry, before["step"], before["epoch"]))
        self.folder.append_history(entry)
        self.history.append(entry)

    def saved(self) -> None:
        """Says that the checkpoint of the last point is saved."""
        if self.history and "validation" in self.history[-1] and self.folder.chief:
            entry = self.history[-1]
            self.best.offer(judged_by(entry, entry["step"], entry["epoch"]))

    def way_out(self) -> str:
        """A sentence on the best checkpoint; empty without one whose loss is below its limit."""
        judged = self.best.judged
        if judged is None or self.limits.exceeded(judged["by"], judged["step"], judged["loss"]):
            return ""
        return (
            f" The best checkpoint, of step {judged['step']}, is kept in {self.best.folder}; "
            f"`python -m training.back_to_best {self.folder.path}` returns to it."
        )
