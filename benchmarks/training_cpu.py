"""Training steps on CPU against timm's: python -m benchmarks.training_cpu -h."""

import argparse
import pathlib
from collections.abc import Sequence
from typing import Any

from benchmarks import contest
from benchmarks.contenders import TRAINING, Contender

PROGRAM = "benchmarks.training_cpu"
# Of the loss before the first step.
TOLERANCES = (1e-4, 0.05)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    description = (__doc__ or "").partition(":")[0] + "."
    parser = contest.contest_parser(PROGRAM, description, TRAINING)
    contest.run_contest(PROGRAM, parser, TRAINING, measure, arguments)


def measure(
    contenders: Sequence[Contender],
    options: argparse.Namespace,
    cpus: Sequence[int],
    facts: dict[str, Any],
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Times one configuration; see `contest.measure`."""
    run = contest.measure(contenders, options, cpus, facts, folder, TOLERANCES)
    return {**run, "outputs": "losses"}


if __name__ == "__main__":
    main()
