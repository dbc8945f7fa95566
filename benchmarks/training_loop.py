"""The overhead of the training loop over the bare training step:

    python -m benchmarks.training_loop --variant nano/4 --batch 64 --rounds 10

It compares `training`'s step inside orbit's loop (global clipping, counted metrics) with a bare
`tf.function` of forward pass, gradient and AdamW, called from Python. Both use the same model and
batch without augmentation, in turn in one process.
"""

import argparse
import functools
import json
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.plain_step import plain_step
from benchmarks.report import machine_facts
from benchmarks.rounds import run_in_turn, summarise, time_calls
from training.config import Config, Data, Optimizer
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer


def contenders(variant: str, batch: int, steps: int) -> dict[str, Callable[[], object]]:
    """Maps each name to a function that trains `steps` steps on one batch in memory."""
    rng = np.random.default_rng(0)
    shape = (batch, *_new(variant).image_shape)
    images = tf.constant(rng.integers(0, 256, shape), tf.uint8)
    labels = tf.constant(rng.integers(0, 10, batch), tf.int64)
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    return {
        "bare": _bare(_new(variant), iter(batches), steps),
        "orbit": _orbit(_new(variant), batches, batch, steps),
    }


def _new(variant: str) -> keras_mlp.MLPMixer:
    keras.utils.set_random_seed(0)
    return keras_mlp.MLPMixer.from_variant(variant, num_classes=10)


def _bare(
    model: keras.Model, batches: Iterator[tuple[tf.Tensor, tf.Tensor]], steps: int
) -> Callable[[], object]:
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    step = plain_step(model, keras.optimizers.AdamW(1e-4), loss_of)

    def call() -> None:
        for _ in range(steps):
            loss = step(*next(batches))
        loss.numpy()

    return call


def _orbit(
    model: keras.Model, batches: tf.data.Dataset, batch: int, steps: int
) -> Callable[[], object]:
    optimizer = Optimizer(learning_rate=1e-4, warmup_epochs=0.0, schedule="constant")
    config = Config(data=Data(batch_size=batch), optimizer=optimizer)
    built = build_optimizer(optimizer, model, total_steps=10**6, steps_per_epoch=100)
    trainer = Trainer(model, built, config)
    trainer.train_dataset = batches
    return lambda: trainer.train(tf.constant(steps))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--variant", default="nano/4", help="variant of MLPMixer (nano/4)")
    parser.add_argument("--batch", type=int, default=64, help="images per step (64)")
    parser.add_argument("--steps", type=int, default=10, help="steps per call (10)")
    parser.add_argument("--rounds", type=int, default=10, help="number of turns of each (10)")
    options = parser.parse_args(arguments)
    threads = len(tf.config.list_logical_devices("CPU"))
    calls = contenders(options.variant, options.batch, options.steps)
    samples = run_in_turn(
        {name: functools.partial(time_calls, call, 1.0, threads) for name, call in calls.items()},
        options.rounds,
    )
    for name, summary in summarise(samples, "bare").items():
        print(
            f"{name}: {summary.median / options.steps:.2f} ms per step (best "
            f"{summary.best / options.steps:.2f}); bare / {name}: {summary.ratio:.3f} "
            f"({summary.lowest:.3f} to {summary.highest:.3f})"
        )
    print(json.dumps(machine_facts()))


if __name__ == "__main__":
    main()
