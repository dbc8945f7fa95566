"""A paced run whose time gets short on the way, on JAX: its schedule must still reach its end."""

import types

import numpy as np
import pytest

from benchmarks import paced
from benchmarks.paced import PacedRun, random_split
from training.config import Config, Data, Model, Optimizer

EPOCHS = 12


def main() -> None:
    config = Config(
        epochs=EPOCHS,
        model=Model(variant="pico/2", arguments={"image_shape": (8, 8, 1), "num_layers": 1}),
        data=Data(batch_size=8),
        optimizer=Optimizer(learning_rate=1e-3, warmup_epochs=2.0),
    )
    run = PacedRun(config, [0], random_split((8, 8, 1), 16, 10))
    run.seconds_per_epoch(2)
    run.set_epochs(8)
    clock = types.SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    paced.time = clock
    steps = run.session.run

    def slower(count: int) -> None:
        steps(count)
        clock.now += 0.2 if len(run.curve) < 4 else 0.4

    run.session.run = slower
    assert run.train(2.1, lambda: None)
    rates = [point["train"][0]["learning_rate"] for point in run.curve]
    assert len(rates) == 7  # instead of 8, after the fifth was slow
    assert rates[-1] == pytest.approx(0.0, abs=1e-8)
    assert np.argmax(rates) in (0, 1) and np.all(np.diff(rates[1:]) < 0), rates
