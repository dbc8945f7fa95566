"""python -m keras_mlp.weights: the catalogue of published weights, as Markdown."""

from collections.abc import Sequence

from keras_mlp.command_line import end_with_error, weights_options
from keras_mlp.weights.catalogue import presets
from keras_mlp.weights.preset import Preset

_HEADER = ("name", "architecture", "variant", "image", "classes", "top-1, %", "licence")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table, or ends the program with an error.

    Args:
        arguments: command-line arguments; None for those of the process.
    """
    options = weights_options(arguments)
    try:
        found = presets(options.architecture, variant=options.variant, pattern=options.pattern)
    except ValueError as error:
        end_with_error(error, code=2)
    if not found:
        given = f"`--pattern` {options.pattern!r}"
        if options.variant is not None:
            given += f" with `--variant` {options.variant!r}"
        end_with_error(f"{given} matches no preset.")
    print(_table([_HEADER, *map(_row, found)]))


def _row(preset: Preset) -> tuple[str, ...]:
    return (
        preset.name,
        preset.architecture,
        preset.variant,
        str(preset.image_size),
        str(preset.num_classes),
        "" if preset.top1 is None else str(preset.top1),
        preset.licence or "",
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
