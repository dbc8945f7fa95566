"""When a run stops to judge itself and to save."""

import math

from training.config import Config


def count_steps(epochs: float, steps_per_epoch: float, steps: int = 0) -> int:
    """The length of a training in steps; `steps`, unless 0, replaces `epochs`."""
    return steps or max(1, round(epochs * steps_per_epoch))


def points_of_curve(
    config: Config, steps_per_epoch: float, done: int, total_steps: int
) -> list[int]:
    """The steps after `done` at which a point of the curve and a checkpoint are due."""
    every = config.runtime.epochs_per_checkpoint
    count = math.ceil(total_steps / (every * steps_per_epoch))
    due = (min(total_steps, round((i + 1) * every * steps_per_epoch)) for i in range(count))
    return sorted({step for step in due if step > done})
