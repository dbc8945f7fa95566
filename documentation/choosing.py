"""Writes docs/choosing.md, and tables and pictures of other pages, from stored results:

    python -m documentation.choosing

`--add NAME=FILE` stores the results of a study first, in docs/results/NAME.json:

    python -m documentation.choosing --add compare_fashion_mnist=runs/tradeoffs/results.json
"""

import argparse
import pathlib
from collections.abc import Callable, Sequence

from documentation.answers import answer, cifar10_points
from documentation.cifar10_table import CIFAR10, cifar10_table
from documentation.made_parts import with_made_parts
from documentation.page_tables import DOCS
from documentation.stored_studies import (
    RESULTS,
    STUDIES,
    check_study,
    draw_pictures,
    report,
    section,
    stored,
)
from keras_mlp.whole_files import write_text
from training.reports.pareto_picture import draw_pareto

PAGES = (DOCS / "choosing.md", DOCS / "tradeoffs.md", DOCS / "accelerators.md")


def made_pages() -> dict[pathlib.Path, str]:
    """The text of every page, by its path."""
    makers: dict[str, Callable[[str], str]] = {
        "answer": answer,
        "study": section,
        "stored": report,
        "cifar10": lambda _: cifar10_table(),
    }
    return {page: with_made_parts(page.read_text(encoding="utf-8"), makers) for page in PAGES}


def draw() -> list[pathlib.Path]:
    """Draws the pictures of everything that is stored; returns their paths."""
    points, path = cifar10_points(), DOCS / f"pareto_{CIFAR10}.svg"
    title = f"Accuracy on CIFAR-10 against seconds of training, {len(points)} models"
    draw_pareto(path, points, "seconds of training, three seeds, one H200", title)
    drawn = [path]
    for name in STUDIES:
        if stored(name).exists():
            drawn += draw_pictures(name)
    return drawn


def _add(added: Sequence[str]) -> None:
    """Stores results, all or none.

    Raises:
        ValueError: a name is not that of a study, or a file is not of its program.
        OSError: a file cannot be read or written.
    """
    pairs = [(name, file) for name, _, file in (each.partition("=") for each in added)]
    for name, file in pairs:
        check_study(name, file)
    for name, file in pairs:
        RESULTS.mkdir(exist_ok=True)
        write_text(stored(name), pathlib.Path(file).read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the pages; exits on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m documentation.choosing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help=f"store results first; NAME is one of {', '.join(STUDIES)}",
    )
    options = parser.parse_args(arguments)
    try:
        _add(options.add)
        pages, pictures = made_pages(), draw()
        for path, text in pages.items():
            write_text(path, text)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print("\n".join(str(path) for path in (*pages, *pictures)))


if __name__ == "__main__":
    main()
