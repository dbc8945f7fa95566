"""What the command lines of the programs have in common."""

import argparse

_HELP = {
    "source": "a .keras file or a SavedModel's folder",
    "config": "a page of training/configs",
    "workdir": "folder of the run",
    "accept-changes": "go on in a folder that was made with another config",
}


def parse_command_line(program, description, required, arguments=None, flags=()):
    """Parses a program's options; `--set KEY=VALUE`, which may be repeated, is always one.

    Args:
        program: its module, such as "training.train".
        description: its docstring.
        required: names of the options that it needs: "source", "config" or "workdir".
        arguments: list of strings; None for those of the process.
        flags: names of options that are given or not: "accept-changes".

    Returns:
        A namespace with the required options, `overrides`, a list of strings, and a bool for each
        flag.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in required:
        parser.add_argument(f"--{name}", required=True, help=_HELP[name])
    for name in flags:
        parser.add_argument(f"--{name}", action="store_true", help=_HELP[name])
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the page, such as optimizer.learning_rate=0.002; may be repeated",
    )
    return parser.parse_args(arguments)
