"""What programs print: tables, the line that starts a run, and the block that ends it."""

import pathlib
from collections.abc import Collection, Sequence
from typing import Any

LONGEST_CELL = 40


def text_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()
) -> str:
    """Makes a table of aligned columns.

    Args:
        header: names of the columns.
        rows: cells; those longer than `LONGEST_CELL` are cut.
        numbers: columns, counted from 0, to align right.
    """
    cells = [[_cut(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def starting_line(
    model: dict[str, Any], parameters: int, data: str, sizes: Sequence[int], device: str
) -> str:
    """Says what a run trains: model, parameters, data and device.

    Args:
        model: `model` of the config, as stored.
        parameters: number of parameters.
        data: `data.name`.
        sizes: number of training, validation and test images, and of classes.
        device: see `training.reports.provenance.device_name`.
    """
    train, validation, test, classes = sizes
    return (
        f"{model['architecture']} {model['variant']}, {parameters:,} parameters, on {data}: "
        f"{train:,} training, {validation:,} validation, {test:,} test images, {classes} classes; "
        f"{device}"
    )


def shown_number(value: float | None, form: str) -> str:
    """A number in a format such as ".4f"; JSON files hold None for one that is not finite."""
    return "not finite" if value is None else format(value, form)


def result_lines(folder: pathlib.Path) -> str:
    """Where the results of a run are: a line for each file or folder that is there."""
    known = {
        "report.html": "report",
        "model.keras": "Keras model",
        "saved_model": "SavedModel",
        "features": "SavedModel to features",
        "metrics.json": "all figures",
    }
    found = [(words, folder / name) for name, words in known.items() if (folder / name).exists()]
    return "\n".join(f"{words:<24}{path}" for words, path in found)


def _cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST_CELL else f"{cell[: LONGEST_CELL - 1]}…"
