"""Time of a training step through a view of a model: python -m benchmarks.views --help.

A view (`model.at`) computes the weights over tokens of its size in every step; the model that
`with_image_shape` makes has them stored. Both train at the same size, in turn.
"""

import argparse
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.report import machine_facts, write_json


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.views", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    rows = [measure(name, options) for name in options.architectures]
    print(markdown(rows))
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    if options.json:
        write_json(options.json, {"facts": facts, "rows": rows})


def measure(architecture: str, options: argparse.Namespace) -> dict[str, Any]:
    """The medians of both kinds of step, in seconds, and the ratios of the pairs."""
    keras.utils.set_random_seed(0)
    model = keras_mlp.ARCHITECTURES[architecture].from_variant(options.variant, num_classes=10)
    shape = (options.side, options.side, 3)
    images = np.random.default_rng(0).integers(0, 256, (options.batch, *shape)).astype("uint8")
    steps = {
        "view": step_of(model.at(shape), images),
        "stored": step_of(keras_mlp.with_image_shape(model, shape), images),
    }
    for step in steps.values():
        step()  # traces
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - began)
    ratios = [a / b for a, b in zip(seconds["view"], seconds["stored"], strict=True)]
    return {
        "architecture": architecture,
        "variant": options.variant,
        "size": options.side,
        "batch": options.batch,
        **{name: statistics.median(each) for name, each in seconds.items()},
        "ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4)[::2],
    }


def step_of(model: keras.Model, images: np.ndarray[Any, Any]) -> Callable[[], None]:
    """A compiled training step of plain gradient descent."""
    labels = tf.constant(np.arange(len(images)) % 10)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(loss, weights), model.trainable_variables)
        return loss

    pixels = tf.constant(images)
    return lambda: step(pixels).numpy()


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A table with a row per architecture."""
    lines = [
        "| model | size | batch | stored, ms | view, ms | view / stored | quartiles |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        low, high = row["quartiles"]
        lines.append(
            f"| {row['architecture']} {row['variant']} | {row['size']} | {row['batch']} | "
            f"{row['stored'] * 1e3:.0f} | {row['view'] * 1e3:.0f} | {row['ratio']:.2f} | "
            f"{low:.2f}-{high:.2f} |"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description=__doc__)
    parser.add_argument(
        "--architectures",
        nargs="+",
        default=["MLPMixer", "GMLP"],
        choices=list(keras_mlp.ARCHITECTURES),
    )
    parser.add_argument("--variant", default="nano/4", help="default nano/4, 32 x 32 pixels")
    parser.add_argument("--side", type=int, default=48, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10, help="timed steps of each kind")
    parser.add_argument("--json", help="file to write")
    return parser


if __name__ == "__main__":
    main()
