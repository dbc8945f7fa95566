"""What the programs of studies do alike: run or show stored results, and end with a clear word."""

import argparse
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.program_end import clear_end
from training.studies.results import stored_results

Runs = Sequence[Mapping[str, Any]]


def run_study(
    options: argparse.Namespace,
    program: str,
    table: Callable[[Runs], str],
    study: Callable[[], Runs],
) -> None:
    """Prints the tables of a study: of stored results with `--from`, else after running it.

    Ends the process on an error, and with the code that says that the same command continues the
    study where it was interrupted.

    Args:
        options: of the command line, with `stored`, and `workdir` if there is a folder of runs.
        program: such as "training.scaling".
        table: function from runs to Markdown.
        study: function that runs the study and returns its runs.
    """
    with clear_end(RuntimeError):
        if options.stored:
            print(stored_results(options.stored, program, table))
            return
        runs = study()
    print(f"\n{table(runs)}")
    if "workdir" in options:
        print(f"\nruns: {pathlib.Path(options.workdir).resolve()}")
