"""The overhead of the training loop over the bare training step:

    python -m benchmarks.training_loop --variant nano/4 --batch 64 --rounds 10

It compares `training`'s step inside orbit's loop (global clipping, counted metrics, the forms of a
step that are fast on a CPU) with a bare `tf.function` of forward pass, gradient and Keras' AdamW,
called from Python. Both use the same model and batch without augmentation, in turn in one process.
With `--settings` it compares the loop with itself under the settings of `runtime` that change how a
CPU computes, in wall and CPU time.
"""

import argparse
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.plain_step import plain_step
from benchmarks.report import machine_facts
from benchmarks.rounds import Sample, run_in_turn, summarise, time_calls
from training.config import Config, Data, Optimizer, Runtime
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.trainer import Trainer

_SETTINGS = {
    "orbit": Runtime(),
    "compile_gelu": Runtime(compile_gelu=True),
    "jit_compile": Runtime(jit_compile=True),
    "mixed_bfloat16": Runtime(dtype="mixed_bfloat16"),
    "mixed_bfloat16, compile_gelu": Runtime(dtype="mixed_bfloat16", compile_gelu=True),
}


def contenders(
    variant: str,
    batch: int,
    steps: int,
    settings: bool = False,
    dtype: Literal["float32", "mixed_bfloat16"] = "float32",
) -> dict[str, Callable[[], object]]:
    """Maps each name to a function that trains `steps` steps on one batch in memory.

    Args:
        variant: of `MLPMixer`.
        batch: number of images.
        steps: per call.
        settings: the loop under several settings, instead of the bare step and the loop.
        dtype: Keras dtype policy of the bare step and the loop.
    """
    rng = np.random.default_rng(0)
    shape = (batch, *_new(variant).image_shape)
    images = tf.constant(rng.integers(0, 256, shape), tf.uint8)
    labels = tf.constant(rng.integers(0, 10, batch), tf.int64)
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    if settings:
        return {
            name: _orbit(_new(variant, runtime.dtype), batches, batch, steps, runtime)
            for name, runtime in _SETTINGS.items()
        }
    return {
        "bare": _bare(_new(variant, dtype), iter(batches), steps),
        "orbit": _orbit(_new(variant, dtype), batches, batch, steps, Runtime(dtype=dtype)),
    }


def _new(variant: str, dtype: str = "float32") -> keras_mlp.MLPMixer:
    keras.utils.set_random_seed(0)
    return keras_mlp.MLPMixer.from_variant(variant, num_classes=10, dtype=dtype)


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
    model: keras.Model, batches: tf.data.Dataset, batch: int, steps: int, runtime: Runtime
) -> Callable[[], object]:
    optimizer = Optimizer(learning_rate=1e-4, warmup_epochs=0.0, schedule="constant")
    config = Config(data=Data(batch_size=batch), optimizer=optimizer, runtime=runtime)
    built = build_optimizer(optimizer, model, total_steps=10**6, steps_per_epoch=100)
    trainer = Trainer(model, built, config)
    trainer.train_dataset = batches
    return lambda: trainer.train(tf.constant(steps))


def report(samples: Mapping[str, Sequence[Sample]], steps: int) -> str:
    """A line for each contender: milliseconds per step, and speed over the first contender."""
    baseline = next(iter(samples))
    cpu = {name: [turn.in_cpu_time() for turn in turns] for name, turns in samples.items()}
    in_cpu_time = summarise(cpu, baseline)
    lines = []
    for name, wall in summarise(samples, baseline).items():
        ratio, lowest, highest = wall.ratios()
        lines.append(
            f"{name}: {wall.median / steps:.2f} ms per step (best {wall.best / steps:.2f}); "
            f"{baseline} / {name}: {ratio:.3f} ({lowest:.3f} to {highest:.3f}), in CPU time "
            f"{in_cpu_time[name].ratios()[0]:.3f} of {in_cpu_time[name].median / steps:.2f} ms"
        )
    return "\n".join(lines)


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
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--settings", action="store_true", help="compare settings of `runtime`")
    which.add_argument(
        "--dtype",
        choices=("float32", "mixed_bfloat16"),
        default="float32",
        help="Keras dtype policy of both (float32)",
    )
    options = parser.parse_args(arguments)
    threads = len(tf.config.list_logical_devices("CPU"))
    calls = contenders(
        options.variant, options.batch, options.steps, options.settings, options.dtype
    )
    samples = run_in_turn(
        {name: functools.partial(time_calls, call, 1.0, threads) for name, call in calls.items()},
        options.rounds,
    )
    print(report(samples, options.steps))
    print(json.dumps(machine_facts()))


if __name__ == "__main__":
    main()
