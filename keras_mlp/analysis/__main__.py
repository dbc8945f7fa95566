"""python -m keras_mlp.analysis: what models cost, as Markdown."""

import argparse
from collections.abc import Sequence

from keras_mlp.analysis.resolution import resolution_curve
from keras_mlp.analysis.side_by_side import costs_of_forms, published_costs, side_by_side
from keras_mlp.command_line import analysis_options, end_with_error
from keras_mlp.models import ARCHITECTURES


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints tables, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = analysis_options(arguments)
    try:
        print(_report(options))
    except ValueError as error:
        end_with_error(error, code=2)


def _report(options: argparse.Namespace) -> str:
    if options.architecture is None:
        return side_by_side(published_costs())
    if options.variant is not None:
        curve = resolution_curve(options.architecture, options.variant, options.sides)
        costs = side_by_side(costs_of_forms(options.architecture, options.variant))
        return f"{costs}\n\n{curve}"
    variants = ARCHITECTURES[options.architecture].variants
    return side_by_side(
        cost for variant in variants for cost in costs_of_forms(options.architecture, variant)
    )


if __name__ == "__main__":
    main()
