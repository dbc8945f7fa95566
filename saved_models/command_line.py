"""The command lines of the programs in this folder, apart as in `training.command_line`."""

import argparse
import re

from training.command_line import Arguments, must_exist, nonempty_path, program_parser

FORMS = ("deployed", "training")
# The placeholder in the kaggle command's own template, which it refuses to upload.
OWNER = "INSERT_OWNER_SLUG_HERE"


def make_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """Parses the command line of `saved_models.make`; ends the program if it is wrong.

    Like the functions below, which do the same for other programs.

    Args:
        description: docstring of the program, for `--help`.
        arguments: list of strings; None for those of the process.

    Returns:
        A namespace with an attribute for each option.
    """
    parser = program_parser("saved_models.make", description)
    add = parser.add_argument
    add("run", type=nonempty_path, metavar="RUN", help="workdir of a finished training.train")
    add(
        "--output",
        type=nonempty_path,
        required=True,
        metavar="DIR",
        help="where to write the artefact",
    )
    add("--name", help="of the artefact's folder; architecture and dataset by default")
    add("--form", choices=FORMS, default="deployed", help="of a RepMLPNet's SavedModels")
    add("--sizes", nargs="+", type=_size, default=[], metavar="HxW", help="further image sizes")
    add(
        "--data-dir",
        type=nonempty_path,
        metavar="DIR",
        help="of TFDS; default: that of the run's config",
    )
    add("--overwrite", action="store_true", help="replace an artefact that is there")
    options = parser.parse_args(arguments)
    must_exist("RUN", options.run)
    return options


def verify_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `make_options`; the program reports paths that do not exist, and checks the others."""
    parser = program_parser("saved_models.verify", description)
    parser.add_argument(
        "paths", type=nonempty_path, metavar="PATH", nargs="+", help="artefact, or .tar.gz of one"
    )
    return parser.parse_args(arguments)


def card_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `make_options`."""
    parser = program_parser("saved_models.card", description)
    parser.add_argument("path", type=nonempty_path, metavar="PATH", help="folder of an artefact")
    options = parser.parse_args(arguments)
    must_exist("PATH", options.path)
    return options


def index_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `make_options`; there is no option but `--help`."""
    return program_parser("saved_models.index", description).parse_args(arguments)


def publish_options(description: str | None, arguments: Arguments = None) -> argparse.Namespace:
    """See `make_options`."""
    parser = program_parser("saved_models.publish", description)
    add = parser.add_argument
    add("path", type=nonempty_path, metavar="PATH", help="folder of an artefact")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--output", type=nonempty_path, metavar="DIR", help="folder to write in")
    place.add_argument("--to", metavar="hf://USER/REPO", help="upload to this repository instead")
    add("--owner", default=OWNER, metavar="SLUG", help="user or team at Kaggle, for --output")
    options = parser.parse_args(arguments)
    must_exist("PATH", options.path)
    return options


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"must be HEIGHTxWIDTH, such as 32x48, got {text!r}")
    return int(match[1]), int(match[2])
