"""Converts published files to models that are ready to use.

A preset of the catalogue, or a file in a published naming, becomes a folder with `model.keras`, a
SavedModel, golden outputs and a card.
"""

import argparse
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_mlp.convert.conversion import Source, convert


def main(arguments: Sequence[str] | None = None) -> None:
    """Converts a file and prints where, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        source = Source(
            options.source,
            options.architecture,
            options.variant,
            options.file,
            dict(_argument(each) for each in options.argument),
        )
        _check(source)
        _check_output(options)
        path = convert(
            source, options.output, reference=options.reference, overwrite=options.overwrite
        )
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(1, f"error: {error}\n")
    print(path)


def _argument(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        raise ValueError(
            f"`--argument` must be NAME=VALUE with a JSON value, such as num_classes=10 or "
            f"image_shape=[64,96,3], got {text!r}."
        ) from error


def _check(source: Source) -> None:
    if source.is_preset() and pathlib.Path(source.name).is_file():
        raise ValueError(f"{source.name} is a file: it needs `--architecture`.")
    if source.is_preset() and source.variant is not None:
        raise ValueError(f"`--variant` {source.variant!r} needs `--architecture`.")
    if not source.is_preset() and source.file is not None:
        raise ValueError("`--file` is for a preset: SOURCE is already the file.")


def _check_output(options: argparse.Namespace) -> None:
    if pathlib.Path(options.output).exists() and not options.overwrite:
        raise FileExistsError(f"{options.output} already exists; `--overwrite` replaces it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keras_mlp.convert", description=__doc__)
    add = parser.add_argument
    add("source", help="name of a preset, or path of a file, which needs --architecture")
    add("--architecture", help="architecture of the file, such as MLPMixer")
    add("--variant", help="variant of the file, such as B/16")
    add("--file", help="path of the preset's file, if you have it")
    add(
        "--argument",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the constructor, its value as JSON; may be repeated",
    )
    add("--output", required=True, metavar="FOLDER", help="folder to write")
    add(
        "--reference",
        metavar="FILE.npz",
        help="`images` and `logits`, or `x` and `y`, to compare with",
    )
    add("--overwrite", action="store_true", help="replace a folder that was converted before")
    return parser


if __name__ == "__main__":
    main()
