"""The share of a training step's time that is spent waiting for data:

    taskset -c 0,1 python -m benchmarks.input_wait --rounds 8
    taskset -c 0,1 python -m benchmarks.input_wait --rounds 8 --set model.architecture=MLPMixer

It times the step of a config (CIFAR-10; with `--set`, Mixer nano/4) inside orbit's loop, on the
config's own stream with its augmentation and on one batch in memory, in turn in one process. The
share is 1 - (time on the one batch) / (time on the stream). The time until the first batch of an
epoch is measured separately and added.
"""

import argparse
import functools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from benchmarks.report import machine_facts
from benchmarks.rounds import Sample, run_in_turn, summarise, time_calls
from training.config import Config, load_config
from training.data.pipeline import load_splits, training_stream
from training.data.splits import Split
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer
from training.train import build_model, model_image_shape

ALLOWED = 0.05
ONE_BATCH = "one batch"


def stream_of(config: Config, split: Split) -> tf.data.Dataset:
    """The batches that a run of a config trains on."""
    return training_stream(
        split,
        batch_size=config.data.batch_size,
        seed=config.runtime.seed,
        start_step=0,
        augment=config.augment,
    )


def steps_on(
    batches: tf.data.Dataset, config: Config, classes: int, steps: int
) -> Callable[[], object]:
    """Makes a function that trains a new model and returns when its steps are done.

    Args:
        batches: an endless dataset.
        config: a `training.config.Config`.
        classes: number of classes of the dataset.
        steps: steps per call.
    """
    keras.utils.set_random_seed(config.runtime.seed)
    model = build_model(config.model, classes, config.runtime.dtype)
    optimizer = build_optimizer(config.optimizer, model, total_steps=10**6, steps_per_epoch=1000)
    trainer = Trainer(model, optimizer, config)
    trainer.train_dataset = batches
    return lambda: trainer.train(tf.constant(steps))


def seconds_to_first_batch(stream: tf.data.Dataset, repeats: int = 3) -> float:
    """Median time in seconds until a restarted stream gives its first batch."""
    times = []
    for _ in range(repeats + 1):  # the first pass fills the cache, if there is one
        start = time.perf_counter()
        next(iter(stream))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure(config: Config, steps: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measures how long a run of a config waits for data.

    Args:
        config: a `training.config.Config`.
        steps: steps per call of orbit's loop.
        seconds: minimum duration of a turn.
        rounds: number of turns of each stream.

    Returns:
        A dict: "step", milliseconds per step on the stream; "waiting", the share of that time that
        a step on the one batch saves, as (median, lowest, highest) over the rounds; "cpu", the same
        for CPU time; "batch", the CPU time to make a batch, as a share of a step's; "epochs", the
        share of the total time before the first batch of an epoch; and "cpu_share", the lowest CPU
        share of any turn (see `Sample`).

    Raises:
        ValueError: the dataset cannot be found.
    """
    splits = load_splits(config.data, model_image_shape(config.model))
    stream = stream_of(config, splits.train)
    filling = seconds_to_first_batch(stream)
    one_batch = tf.data.Dataset.from_tensors(next(iter(stream))).repeat()
    cores, classes = len(os.sched_getaffinity(0)), len(splits.classes)
    calls = {
        name: steps_on(batches, config, classes, steps)
        for name, batches in (("stream", stream), (ONE_BATCH, one_batch))
    }
    samples = run_in_turn(
        {name: functools.partial(time_calls, call, seconds, cores) for name, call in calls.items()},
        rounds,
    )
    batches = iter(stream)  # after the turns: an iterator keeps working in the background
    batch = time_calls(lambda: next(batches), seconds, cores).cpu_milliseconds
    cpu = statistics.median(sample.cpu_milliseconds for sample in samples["stream"]) / steps
    step = statistics.median(sample.milliseconds for sample in samples["stream"]) / steps
    epoch = step / 1000 * splits.train.size / config.data.batch_size
    return {
        "step": step,
        "waiting": share_of_data(samples),
        "cpu": share_of_data(
            {name: [turn.in_cpu_time() for turn in turns] for name, turns in samples.items()}
        ),
        "batch": batch / cpu,
        "epochs": filling / (filling + epoch),
        "cpu_share": min(sample.cpu_share for turns in samples.values() for sample in turns),
    }


def share_of_data(samples: Mapping[str, Sequence[Sample]]) -> tuple[float, float, float]:
    """(median, lowest, highest) of 1 - (time on the one batch) / (time on the stream)."""
    median, lowest, highest = summarise(samples, "stream")[ONE_BATCH].ratios()
    return 1 - 1 / median, 1 - 1 / lowest, 1 - 1 / highest


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.input_wait",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", default="training/configs/cifar10.py", help="config file (cifar10)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--steps", type=int, default=10, help="steps per call (10)")
    parser.add_argument("--seconds", type=float, default=5.0, help="minimum duration of a turn (5)")
    parser.add_argument("--rounds", type=int, default=8, help="number of turns of each (8)")
    options = parser.parse_args(arguments)
    try:
        config: Config = load_config(options.config, options.overrides)
        found = measure(config, options.steps, options.seconds, options.rounds)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"{found['step']:.1f} ms per step; lowest CPU share {found['cpu_share']:.2f}")
    for name, text in (("waiting", "of the time"), ("cpu", "of the CPU time")):
        median, lowest, highest = found[name]
        print(f"waiting for data: {median:.1%} ({lowest:.1%} to {highest:.1%}) {text}")
    print(f"making a batch: {found['batch']:.1%} of the CPU time")
    print(f"before the first batch of an epoch: {found['epochs']:.1%} of the time")
    print(json.dumps(machine_facts()))
    total = found["waiting"][0] + found["epochs"]
    if total > ALLOWED:
        sys.exit(
            f"error: waiting for data takes {total:.1%} of the time; {ALLOWED:.0%} is allowed."
        )


if __name__ == "__main__":
    main()
