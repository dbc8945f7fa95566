"""The learning rate over a run: warm-up, decay, and a last stretch at the end's value."""

import math

import keras
from keras import ops


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from `start` to `peak`, then a cosine or a line down to `end`, which then stays.

    Args:
        peak: highest learning rate.
        total_steps: length of the run, `cooldown_steps` included.
        warmup_steps: of the way up.
        cooldown_steps: at the end, all at `end`.
        start, end: learning rates.
        shape: "cosine", "linear", or "constant" for `peak` from the warm-up on.
    """

    def __init__(
        self,
        peak,
        total_steps,
        *,
        warmup_steps=0,
        cooldown_steps=0,
        start=0.0,
        end=0.0,
        shape="cosine",
    ):
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.cooldown_steps = cooldown_steps
        self.start = start
        self.end = end
        self.shape = shape

    def __call__(self, step):
        step = ops.cast(step, "float32")
        up = self.start + (self.peak - self.start) * step / max(self.warmup_steps, 1)
        length = max(self.total_steps - self.warmup_steps - self.cooldown_steps, 1)
        way = ops.clip((step - self.warmup_steps) / length, 0.0, 1.0)
        if self.shape == "cosine":
            way = 0.5 - 0.5 * ops.cos(math.pi * way)
        down = self.peak if self.shape == "constant" else self.peak + (self.end - self.peak) * way
        return ops.where(step < self.warmup_steps, up, down)

    def get_config(self):
        return dict(vars(self))
