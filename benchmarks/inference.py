"""Inference speed on CPU against timm and other runtimes: python -m benchmarks.inference -h."""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import contest
from benchmarks.contenders import INFERENCE, Contender

PROGRAM = "benchmarks.inference"
# Fewer bits compute something else: the difference is reported, and bounded loosely.
TOLERANCES = (1e-4, 0.25)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    contest.run_contest(PROGRAM, _parser(), INFERENCE, measure, arguments)


def measure(
    contenders: Sequence[Contender],
    options: argparse.Namespace,
    cpus: Sequence[int],
    facts: dict[str, Any],
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Times one configuration; see `contest.measure`."""
    return contest.measure(contenders, options, cpus, facts, folder, TOLERANCES)


def _parser() -> argparse.ArgumentParser:
    parser = contest.contest_parser(PROGRAM, (__doc__ or "").partition(":")[0] + ".", INFERENCE)
    add = parser.add_argument
    add(
        "--openvino-python",
        default=sys.executable,
        help="interpreter with the extra openvino-int8",
    )
    add(
        "--peers-python",
        default=sys.executable,
        help="interpreter with this package, KerasHub and ZeroModels",
    )
    add("--onnx-python", default=sys.executable, help="interpreter with the extra onnx")
    return parser


if __name__ == "__main__":
    main()
