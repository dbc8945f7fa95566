"""The learning-rate schedule: warm-up, decay and cool-down."""

import math

import keras
from keras import ops

from keras_mlp.typing import Config, Tensor


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from `start` to `peak`, then cosine or linear decay to `end`, then constant.

    Args:
        peak: highest learning rate.
        total_steps: length of the run, `cooldown_steps` included.
        warmup_steps: steps of the warm-up.
        cooldown_steps: last steps of the run, with learning rate `end`.
        start, end: learning rates at the start of the warm-up and at the end of the decay.
        shape: "cosine", "linear", or "constant" to stay at `peak` after the warm-up.
    """

    def __init__(
        self,
        peak: float,
        total_steps: int,
        *,
        warmup_steps: int = 0,
        cooldown_steps: int = 0,
        start: float = 0.0,
        end: float = 0.0,
        shape: str = "cosine",
    ) -> None:
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.cooldown_steps = cooldown_steps
        self.start = start
        self.end = end
        self.shape = shape

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32")
        up = self.start + (self.peak - self.start) * step / max(self.warmup_steps, 1)
        length = max(self.total_steps - self.warmup_steps - self.cooldown_steps, 1)
        way = ops.clip((step - self.warmup_steps) / length, 0.0, 1.0)
        if self.shape == "cosine":
            way = 0.5 - 0.5 * ops.cos(math.pi * way)
        down = self.peak if self.shape == "constant" else self.peak + (self.end - self.peak) * way
        return ops.where(step < self.warmup_steps, up, down)

    def get_config(self) -> Config:
        return dict(vars(self))
