"""Hooks of mkdocs (mkdocs.yml): pages that are made when the site is built.

The README is the home page. Files of the repository that pages link to become pages too, so that
no link leaves the site. The API reference and the catalogue of weights are read from `keras_mlp`.
"""

from typing import Any

from mkdocs.structure.files import File

from documentation.api_pages import api_pages
from documentation.catalogue_table import MARKER, catalogue_table
from documentation.linked_files import LinkedFiles
from documentation.navigation import with_every_page

_linked = LinkedFiles()


def on_config(config: Any) -> Any:
    """Adds pages that the navigation does not name to its guides."""
    config["nav"] = with_every_page(config["nav"])
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are not in docs/."""
    made = {**api_pages(), **_linked.pages(start=["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])}
    for src_uri, text in made.items():
        files.append(File.generated(config, src_uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Points links at pages of the site, and fills in the catalogue."""
    markdown = _linked.with_links(markdown, page.file.src_uri)
    if MARKER not in markdown:
        return markdown
    page.meta["hide"] = ["toc"]  # the table takes its place
    return markdown.replace(MARKER, catalogue_table())
