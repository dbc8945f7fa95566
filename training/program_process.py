"""How a program starts another one in a process of its own, from a checkout or from a wheel."""

import os
import pathlib
import sys

_FOLDER = (
    pathlib.Path(__file__).resolve().parents[1]
)  # of the packages `training` and `saved_models`


def program_command(program: str) -> list[str]:
    """The command that runs a program such as "training.train"; add its options.

    The process needs `program_environment`. Its working directory may be any: -P keeps Python from
    looking for packages there first.
    """
    return [sys.executable, "-P", "-m", program]


def program_environment(*more: str) -> dict[str, str]:
    """This process's environment, in which Python also finds our programs.

    Args:
        more: further folders in which it finds packages, after ours.
    """
    paths = [str(_FOLDER), *more, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
