"""Tables of pages, read back: a figure that another page quotes has one source."""

import pathlib

DOCS = pathlib.Path(__file__).parents[1] / "docs"


def page_table(page: str, after: str) -> list[dict[str, str]]:
    """The first table after a text.

    Args:
        page: name of a file in docs/.
        after: a text that occurs in it, such as a heading.

    Returns:
        A dict for each row, from the title of a column to its cell. The title of a column without
        one is its number, from "0".

    Raises:
        ValueError: the page lacks that text, or a table after it.
    """
    _, found, rest = (DOCS / page).read_text(encoding="utf-8").partition(after)
    lines = rest.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("|")), None)
    if not found or start is None:
        raise ValueError(f"docs/{page} must have a table after {after!r}.")
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip().strip("|").split("|")])
    header, _, *body = rows
    titles = [title or str(number) for number, title in enumerate(header)]
    return [dict(zip(titles, row, strict=True)) for row in body]
