"""Start times of a Mixer: import, build or load, first call: python -m benchmarks.start --help.

Every turn of a contender is a process of its own; the start of Python itself is not counted.
"""

import argparse
import functools
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks.report import check_folder_of, machine_facts
from benchmarks.rounds import run_in_turn
from benchmarks.worker_process import WorkerFailed, missing_libraries, run_once
from keras_mlp import MLPMixer
from keras_mlp.arguments import check_choice, check_positive_int
from keras_mlp.json_files import write_json

_STAGES = ("import", "build", "load", "first call", "second call")
_NEEDED = {
    "tensorflow": ["tensorflow"],
    "jax": ["jax"],
    "preset": ["tensorflow"],
    "saved_model": ["tensorflow"],
}
_OF_TIMM = {"timm": ["torch", "timm"], "timm_preset": ["torch", "timm"]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        check_positive_int("rounds", options.rounds)
        check_choice("variant", options.variant, MLPMixer.variants)
        check_folder_of("json", options.json)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.start", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        samples, absent = measure(options.variant, options.rounds, options.timm_python)
    except WorkerFailed as error:
        sys.exit(f"error: {error}")
    run = {"facts": facts, "absent": absent, "samples": samples}
    print(markdown(run))
    if options.json:
        write_json(options.json, run)


def measure(
    variant: str, rounds: int, timm_python: str = sys.executable
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Starts every contender in turn.

    Args:
        variant: of `MLPMixer`.
        rounds: number of turns of each.
        timm_python: interpreter with PyTorch and timm.

    Returns:
        A dict from each contender to the stages of its turns, with "seconds" and "cpu_seconds" (of
        all threads) each; and a dict from each contender that is absent to the reason.

    Raises:
        WorkerFailed: a process ended early.
    """
    needed = _NEEDED | _OF_TIMM
    interpreters = dict.fromkeys(_NEEDED, sys.executable) | dict.fromkeys(_OF_TIMM, timm_python)
    absent = {}
    for name, libraries in needed.items():
        if missing := missing_libraries(interpreters[name], libraries):
            absent[name] = f"{interpreters[name]} lacks {', '.join(missing)}"
    image_shape = MLPMixer.variants[variant]["image_shape"]
    if image_shape != (224, 224, 3):  # our own sizes for small images
        absent |= dict.fromkeys(_OF_TIMM, f"timm has no {variant}")
    with tempfile.TemporaryDirectory() as folder:
        order = {
            "variant": variant,
            "folder": f"{folder}/model",
            "weights": f"{folder}/weights.safetensors",
            "image_shape": image_shape,
            "timm_model": f"mixer_{variant.replace('/', '').lower()}_224",
        }
        _start("export", order, sys.executable)
        turns = {
            name: functools.partial(_start, name, order, interpreters[name])
            for name in needed
            if name not in absent
        }
        return run_in_turn(turns, rounds), absent


def markdown(run: dict[str, Any]) -> str:
    """The report of one run: medians over the rounds, in seconds (and CPU seconds)."""
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines += [f"- without {name}: {reason}" for name, reason in run["absent"].items()]
    lines += ["", f"| contender | {' | '.join(_STAGES)} |", "|---|" + "---:|" * len(_STAGES)]
    for name, turns in run["samples"].items():
        cells = [_cell(turns, stage) for stage in _STAGES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(turns: Sequence[dict[str, Any]], stage: str) -> str:
    if stage not in turns[0]:
        return ""
    wall, cpu = (
        statistics.median(turn[stage][key] for turn in turns) for key in ("seconds", "cpu_seconds")
    )
    return f"{wall:.2f} ({cpu:.2f})"


def _start(name: str, order: dict[str, Any], interpreter: str) -> dict[str, Any]:
    backend = "jax" if name == "jax" else "tensorflow"
    return run_once(
        "benchmarks.start_stages",
        name,
        {**order, "contender": name},
        interpreter=interpreter,
        backend=backend,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start",
        description=(__doc__ or "").split(": python")[0] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--variant", default="L/16", help=f"of MLP-Mixer: {', '.join(MLPMixer.variants)}")
    add("--rounds", type=int, default=3, help="number of turns of each, each in a new process")
    add("--timm-python", default=sys.executable, help="interpreter with PyTorch and timm")
    add("--json", help="file to write all samples to")
    return parser


if __name__ == "__main__":
    main()
