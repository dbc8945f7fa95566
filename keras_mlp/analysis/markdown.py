"""Tables in Markdown that are readable as plain text too."""


def markdown_table(header, rows):
    """Lines up the columns: the first to the left, the others, numbers, to the right.

    Args:
        header: names of the columns.
        rows: lists of as many values, written by `str`.

    Returns:
        Text without a line end behind the last row.

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


def _aligned(row, widths):
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
