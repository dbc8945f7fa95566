"""Published files into models that are ready to use.

A preset of the catalogue, or a file in a published naming, becomes a folder with `model.keras`, a
SavedModel, golden outputs and a card.
"""

import argparse
import json
import pathlib

from keras_mlp.convert.conversion import Source, convert


def main(arguments=None):
    """Converts and says where; ends the program on an error.

    Args:
        arguments: list of strings; None for those of the process.
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
        path = convert(
            source, options.output, reference=options.reference, overwrite=options.overwrite
        )
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(1, f"error: {error}\n")
    print(path)


def _argument(text):
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        raise ValueError(
            f"`--argument` must be NAME=VALUE with a JSON value, such as num_classes=10 or "
            f"image_shape=[64,96,3], got {text!r}."
        ) from error


def _check(source):
    if source.is_preset() and pathlib.Path(source.name).is_file():
        raise ValueError(f"{source.name} is a file: it needs `--architecture`.")
    if source.is_preset() and source.variant is not None:
        raise ValueError(f"`--variant` {source.variant!r} needs `--architecture`.")
    if not source.is_preset() and source.file is not None:
        raise ValueError("`--file` is for a preset: SOURCE is the file already.")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m keras_mlp.convert", description=__doc__)
    add = parser.add_argument
    add("source", help="name of a preset, or path of a file; then --architecture is needed")
    add("--architecture", help="of a file, such as MLPMixer")
    add("--variant", help="of a file, such as B/16")
    add("--file", help="where you have the preset's file")
    add(
        "--argument",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="further argument of the constructor, its value as JSON; may be repeated",
    )
    add("--output", required=True, metavar="FOLDER", help="folder to write")
    add("--reference", metavar="FILE.npz", help="`images` and `logits`, or `x` and `y`")
    add("--overwrite", action="store_true", help="replace what was converted before")
    return parser


if __name__ == "__main__":
    main()
