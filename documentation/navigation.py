"""The navigation of the site: no page of docs/ is missing."""

from collections.abc import Iterator
from typing import Any

from documentation.linked_files import ROOT

GUIDES = "Guides"


def with_every_page(nav: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `nav` of mkdocs.yml, with pages of docs/ that it does not name at the end of the guides.

    Args:
        nav: dicts from a title to a page, or to a list of such dicts.
    """
    named = set(_pages(nav))
    left = [path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in named]
    return [
        {title: [*inside, *left] if title == GUIDES else inside for title, inside in part.items()}
        for part in nav
    ]


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for part in nav.values() if isinstance(nav, dict) else nav:
        yield from _pages(part)
