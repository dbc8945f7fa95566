"""A progress bar over training steps."""

import sys

import tqdm

from training.engine.tensorflow.strategies import read


class ProgressBar:
    """An orbit action that shows images per second, time left, loss and accuracy.

    Args:
        global_step: variable that counts steps.
        total_steps: where the run ends.
        batch_size: images of one step.
        shown: False for the workers that are not the chief.
    """

    def __init__(self, global_step, total_steps, batch_size, shown=True):
        self.global_step = global_step
        self.batch_size = batch_size
        self.bar = tqdm.tqdm(
            desc="train",
            total=total_steps * batch_size,
            initial=int(read(global_step)) * batch_size,
            unit="img",
            unit_scale=True,
            disable=not shown,
            # A log file gets a line now and then, a terminal a smooth bar.
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
        )

    def __call__(self, outputs):
        self.bar.set_postfix(
            loss=f"{outputs['loss']:.3f}", accuracy=f"{outputs['accuracy']:.3f}", refresh=False
        )
        self.bar.update(int(read(self.global_step)) * self.batch_size - self.bar.n)

    def close(self):
        self.bar.close()
