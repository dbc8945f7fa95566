"""What the command lines of the programs have in common."""

import argparse

_HELP = {
    "source": "a .keras file or a SavedModel's folder",
    "config": "a page of training/configs",
    "workdir": "folder of the run",
    "images": "how many images a step has",
    "accept-changes": "go on in a folder that was made with another config",
}


def parse_command_line(program, description, required, arguments=None, flags=(), numbers=None):
    """Parses a program's options; `--set KEY=VALUE`, which may be repeated, is always one.

    Args:
        program: its module, such as "training.train".
        description: its docstring.
        required: names of the options that it needs: "source", "config" or "workdir".
        arguments: list of strings; None for those of the process.
        flags: names of options that are given or not: "accept-changes".
        numbers: from names of options that are whole numbers, "images", to their defaults.

    Returns:
        A namespace with the required options, `overrides`, a list of strings, a bool for each flag
        and a number for each of `numbers`.
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
    for name, default in (numbers or {}).items():
        text = f"{_HELP[name]} ({default})"
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=text)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a value of the page, such as optimizer.learning_rate=0.002; may be repeated",
    )
    return parser.parse_args(arguments)
