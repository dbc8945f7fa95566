"""Tables in Markdown that are also readable as plain text."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table whose first column is aligned left and the others, numbers, right.

    Args:
        header: names of the columns.
        rows: sequences of one value per column, converted by `str`.

    Returns:
        Text without a newline after the last row.

    >>> print(markdown_table(["part", "MACs"], [["stem", 12], ["head", 3456]]))
    | part | MACs |
    |:-----|-----:|
    | stem |   12 |
    | head | 3456 |
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    rule = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
    lines = [f"| {' | '.join(_aligned(row, widths))} |" for row in cells]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
