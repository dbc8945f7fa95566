"""A training step through a view of a model: python -m benchmarks.views --help.

A view (`model.at`) computes the weights over tokens of its size in every step; the model that
`with_image_shape` makes has them stored. Both train at the same size. Their steps are timed in
turn, and their peak memory is measured in processes of their own.
"""

import argparse
import functools
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras_mlp
from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.report import check_folder_of, machine_facts
from benchmarks.rounds import run_in_turn
from benchmarks.view_step import KINDS, model_of, some_images, step_of
from benchmarks.worker_process import WorkerFailed, run_once
from keras_mlp.arguments import check_choice, check_positive_int
from keras_mlp.json_files import write_json

TOLERANCE = 1e-4


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.views", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        rows = [measure(name, options) for name in options.architectures]
    except (Disagreement, WorkerFailed) as error:
        sys.exit(f"error: {error}")
    print(markdown(rows))
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    if options.json:
        write_json(options.json, {"facts": facts, "rows": rows})


def measure(architecture: str, options: argparse.Namespace) -> dict[str, Any]:
    """The medians of both kinds of step, in seconds, the ratios of the pairs, and peak memory."""
    sizes = {"architecture": architecture, "variant": options.variant, "side": options.side}
    memory = {
        kind: run_once(
            "benchmarks.view_step", kind, {"kind": kind, **sizes, "batch": options.batch}
        )
        for kind in KINDS
    }
    check_agreement({kind: found["loss"] for kind, found in memory.items()}, TOLERANCE)
    images = some_images(options.batch, options.side)
    steps = {kind: step_of(model_of(kind, **sizes), images) for kind in KINDS}
    for step in steps.values():
        step()  # traces
    seconds = run_in_turn(
        {kind: functools.partial(_seconds, step) for kind, step in steps.items()}, options.rounds
    )
    ratios = [a / b for a, b in zip(seconds["view"], seconds["stored"], strict=True)]
    return {
        "architecture": architecture,
        "variant": options.variant,
        "size": options.side,
        "batch": options.batch,
        **{kind: statistics.median(each) for kind, each in seconds.items()},
        "ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4)[::2],
        "memory": memory,
    }


def _seconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A table with a row per architecture."""
    lines = [
        "| model | size | batch | stored, ms | view, ms | view / stored | quartiles "
        "| stored, peak MiB | view, peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        low, high = row["quartiles"]
        peak = {kind: row["memory"][kind]["peak"] for kind in KINDS}
        lines.append(
            f"| {row['architecture']} {row['variant']} | {row['size']} | {row['batch']} | "
            f"{row['stored'] * 1e3:.0f} | {row['view'] * 1e3:.0f} | {row['ratio']:.2f} | "
            f"{low:.2f}-{high:.2f} | {peak['stored']:.0f} | {peak['view']:.0f} |"
        )
    return "\n".join(lines)


def _check(options: argparse.Namespace) -> None:
    """ValueError for invalid options, before any work."""
    for name in ("side", "batch"):
        check_positive_int(name, getattr(options, name))
    if options.rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, for quartiles, got {options.rounds}.")
    check_folder_of("json", options.json)
    for name in options.architectures:
        architecture = keras_mlp.ARCHITECTURES[name]
        check_choice("variant", options.variant, architecture.variants)
        model = keras_mlp.analysis.weightless(architecture.from_variant, options.variant)
        model.at((options.side, options.side, 3))


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
