"""Prints what models cost, as Markdown: all published sizes, or one at several image sizes."""

import argparse
from collections.abc import Sequence
from typing import Any

from keras_mlp.analysis.resolution import resolution_curve
from keras_mlp.analysis.side_by_side import costs_of_forms, published_costs, side_by_side
from keras_mlp.arguments import check_choice
from keras_mlp.models import ARCHITECTURES


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints tables, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        print(_report(options))
    except ValueError as error:
        parser.error(str(error))


def _report(options: argparse.Namespace) -> str:
    if options.architecture is None:
        if options.variant or options.sides:
            raise ValueError("`--variant` and `--sides` need `--architecture`.")
        return side_by_side(published_costs())
    check_choice("--architecture", options.architecture, ARCHITECTURES)
    if options.variant is not None:
        curve = resolution_curve(options.architecture, options.variant, _sides(options.sides))
        costs = side_by_side(costs_of_forms(options.architecture, options.variant))
        return f"{costs}\n\n{curve}"
    if options.sides:
        raise ValueError("`--sides` needs `--variant`.")
    variants = ARCHITECTURES[options.architecture].variants
    return side_by_side(
        cost for variant in variants for cost in costs_of_forms(options.architecture, variant)
    )


def _sides(text: str | None) -> list[Any] | None:
    """Parses "224,448" or "224x448,448x448"; None for None."""
    if text is None:
        return None
    try:
        sizes = [[int(side) for side in size.split("x")] for size in text.split(",")]
    except ValueError:
        raise ValueError(f"`--sides` must be like 224,448 or 224x448, got {text!r}.") from None
    return [size[0] if len(size) == 1 else size for size in sizes]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keras_mlp.analysis", description=__doc__)
    add = parser.add_argument
    add("--architecture", help=f"one of {', '.join(ARCHITECTURES)}; all published sizes if omitted")
    add("--variant", help="one of its sizes, such as S/16; all of them if omitted")
    add("--sides", help="image sides in pixels, such as 224,448 or 224x448; needs --variant")
    return parser


if __name__ == "__main__":
    main()
