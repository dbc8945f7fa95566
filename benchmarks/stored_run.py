"""What benchmarks share that show a stored run again: their options, and reading its JSON file."""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keras_mlp.json_files import read_json


def program_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """A parser of a benchmark's options, whose help begins with its docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def print_stored(
    files: Iterable[str | os.PathLike[str]],
    program: str,
    report: Callable[[Mapping[str, Any]], str],
) -> None:
    """Prints the reports of files that a benchmark's `--json` wrote.

    Args:
        files: paths.
        program: such as "benchmarks.tokens"; what `--json` of another program wrote is refused.
        report: function from a run to its Markdown.

    Raises:
        ValueError: a file is damaged, or of another program.
        FileNotFoundError: a file does not exist.
    """
    print("\n".join(report(read_run(file, program, report)) for file in files))


def read_run(
    file: str | os.PathLike[str], program: str, report: Callable[[Mapping[str, Any]], str]
) -> Mapping[str, Any]:
    """One such file; see `print_stored`."""
    run: Mapping[str, Any] = read_json(file, f"Restore it, or run python -m {program} again.", dict)
    if run.get("program") != program:
        raise ValueError(f"`--from` {file} was not written by python -m {program} --json.")
    read_json(file, f"Restore it, or run python -m {program} again.", report)
    return run
