"""The share of a training step's time in which it waits for data:

    taskset -c 0,1 python -m benchmarks.input_wait --rounds 8
    taskset -c 0,1 python -m benchmarks.input_wait --rounds 8 --set model.architecture=MLPMixer

The step of a page (that of CIFAR-10; with `--set`, of Mixer nano/4) inside orbit's loop, on the
page's own stream with its augmentation, and on one batch that is there already; in turn in one
process. The share is 1 - (time on the one batch) / (time on the stream). What fills up before the
first batch of every epoch is timed apart, and added.
"""

import argparse
import json
import os
import statistics
import sys
import time

import keras
import tensorflow as tf

from benchmarks.report import machine_facts
from benchmarks.rounds import run_in_turn, summarise, time_calls
from training.config import load_config
from training.data.pipeline import load_splits, training_stream
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer
from training.train import build_model, model_image_shape

ALLOWED = 0.05
ONE_BATCH = "one batch"


def stream_of(config, split):
    """The batches that a run of a config would see."""
    return training_stream(
        split,
        batch_size=config.data.batch_size,
        seed=config.runtime.seed,
        start_step=0,
        augment=config.augment,
    )


def steps_on(batches, config, classes, steps):
    """A function that trains a new model for that many steps, and returns when they are done.

    Args:
        batches: dataset without end.
        config: a `training.config.Config`.
        classes: of the dataset, how many.
        steps: of one call.
    """
    keras.utils.set_random_seed(config.runtime.seed)
    model = build_model(config.model, classes, config.runtime.dtype)
    optimizer = build_optimizer(config.optimizer, model, total_steps=10**6, steps_per_epoch=1000)
    trainer = Trainer(model, optimizer, config)
    trainer.train_dataset = batches
    return lambda: trainer.train(tf.constant(steps))


def seconds_to_first_batch(stream, repeats=3):
    """Median time until a stream that starts anew gives its first batch."""
    times = []
    for _ in range(repeats + 1):  # the first one fills the cache, if there is one
        start = time.perf_counter()
        next(iter(stream))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure(config, steps, seconds, rounds):
    """What a run of a config waits for.

    Args:
        config: a `training.config.Config`.
        steps: of one call of orbit's loop.
        seconds: of a turn, at least.
        rounds: turns of each.

    Returns:
        A dict: "step", milliseconds of a step on the stream; "waiting", the share of it that the
        one batch does not need, as (median, lowest, highest) of the rounds; "cpu", the same of CPU
        time; "batch", the share of a step's CPU time that making its batch takes, when nothing else
        is done; "epochs", the share of the time that goes by before the first batch of an epoch;
        and "cpu_share", the lowest of all turns of the step, see `Sample`.

    Raises:
        ValueError: the dataset is not there.
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
        {name: lambda call=call: time_calls(call, seconds, cores) for name, call in calls.items()},
        rounds,
    )
    batches = iter(stream)  # not before the turns: it would work on in their background
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


def share_of_data(samples):
    """(median, lowest, highest) of 1 - (time on the one batch) / (time on the stream)."""
    found = summarise(samples, "stream")[ONE_BATCH]
    return tuple(1 - 1 / ratio for ratio in (found.ratio, found.lowest, found.highest))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.input_wait",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", default="training/configs/cifar10.py", help="page (cifar10)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--steps", type=int, default=10, help="of a call (10)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn, at least (5)")
    parser.add_argument("--rounds", type=int, default=8, help="turns of each (8)")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
        found = measure(config, options.steps, options.seconds, options.rounds)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"{found['step']:.1f} ms a step; lowest CPU share {found['cpu_share']:.2f}")
    for name, text in (("waiting", "of the time"), ("cpu", "of the CPU time")):
        median, lowest, highest = found[name]
        print(f"for data: {median:.1%} ({lowest:.1%} to {highest:.1%}) {text}")
    print(f"making a batch, by itself: {found['batch']:.1%} of the CPU time")
    print(f"before the first batch of an epoch: {found['epochs']:.1%} of the time")
    print(json.dumps(machine_facts()))
    total = found["waiting"][0] + found["epochs"]
    if total > ALLOWED:
        sys.exit(f"error: {total:.1%} of the time goes by for data, more than {ALLOWED:.0%}.")


if __name__ == "__main__":
    main()
