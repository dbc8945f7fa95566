"""Memory and time of a training step, `remat` on and off: python -m benchmarks.remat --help."""

import argparse
import functools
import os
import shlex
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.report import check_folder_of, machine_facts
from benchmarks.rounds import run_in_turn
from benchmarks.worker_process import WorkerFailed, run_once
from keras_mlp import MLPMixer
from keras_mlp.arguments import check_choice, check_positive_int
from keras_mlp.json_files import write_json

TOLERANCE = 1e-4
_COLUMNS = (
    "model",
    "remat",
    "peak MiB",
    "of that, the step",
    "step memory over remat off",
    "step s",
    "CPU s",
    "CPU time over remat off",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        variants = _check(options)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.remat", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        samples = measure(variants, options.batch, options.rounds)
    except (Disagreement, WorkerFailed) as error:
        sys.exit(f"error: {error}")
    run = {"facts": facts, "samples": samples}
    print(markdown(run))
    if options.json:
        write_json(options.json, run)


def measure(variants: Sequence[str], batch: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Trains every variant with `remat` off and on, in turn, each time in a new process.

    Args:
        variants: names of variants of `MLPMixer`.
        batch: number of images per step.
        rounds: number of turns.

    Returns:
        A dict from "<variant> off" and "<variant> on" to a list of the results of
        `training_step.measure`.

    Raises:
        Disagreement: `remat` changed the loss of the second step.
        WorkerFailed: a process ended early.
    """
    orders = {
        f"{variant} {'on' if remat else 'off'}": {
            "sizes": MLPMixer.variants[variant],
            "remat": remat,
            "batch": batch,
        }
        for variant in variants
        for remat in (False, True)
    }
    samples = run_in_turn(
        {name: functools.partial(_step, name, order) for name, order in orders.items()}, rounds
    )
    for variant in variants:
        losses = {name: samples[name][0]["loss"] for name in (f"{variant} off", f"{variant} on")}
        check_agreement(losses, TOLERANCE)
    return samples


def markdown(run: dict[str, Any]) -> str:
    """The report of one run: medians over the rounds, and ratios of medians."""
    samples = run["samples"]
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines.append(f"- versions: {next(iter(samples.values()))[0]['versions']}")
    lines += ["", f"| {' | '.join(_COLUMNS)} |", "|---|---|" + "---:|" * (len(_COLUMNS) - 2)]
    for name, turns in samples.items():
        variant, remat = name.split()
        own, without = _medians(turns), _medians(samples[f"{variant} off"])
        lines.append(
            f"| {variant} | {remat} | {own['peak']:.0f} | {own['step']:.0f} "
            f"| {own['step'] / without['step']:.2f} | {own['seconds']:.1f} "
            f"| {own['cpu_seconds']:.1f} | {own['cpu_seconds'] / without['cpu_seconds']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _medians(turns: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Medians over the turns; "step" is the memory added after building the model."""
    turns = [{**turn, "step": turn["peak"] - turn["start"]} for turn in turns]
    keys = ("peak", "step", "seconds", "cpu_seconds")
    return {key: statistics.median(turn[key] for turn in turns) for key in keys}


def _step(name: str, order: dict[str, Any]) -> dict[str, Any]:
    return run_once("benchmarks.training_step", name, order)


def _check(options: argparse.Namespace) -> list[str]:
    """The variants that the options ask for; ValueError for invalid options."""
    for name in ("batch", "rounds"):
        check_positive_int(name, getattr(options, name))
    check_folder_of("json", options.json)
    names = dict.fromkeys(options.variants.split(","))
    return [check_choice("variants", name, MLPMixer.variants) for name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.remat",
        description=__doc__.split(":")[0] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--variants",
        default="S/16,L/16",
        help=f"variants of MLP-Mixer: {', '.join(MLPMixer.variants)}",
    )
    add("--batch", type=int, default=8, help="images per step")
    add("--rounds", type=int, default=3, help="number of turns of each, each in a new process")
    add("--json", help="file to write all samples to")
    return parser


if __name__ == "__main__":
    main()
