"""Writes docs/performance.md and its pictures from the stored runs of the benchmarks on CPU:

    python -m documentation.performance

It reads every file of docs/results that `benchmarks.inference` or `benchmarks.training_cpu` wrote
with `--json`. Each processor has a section of its own.
"""

import argparse
import pathlib
from collections.abc import Sequence

from documentation.made_parts import with_made_parts
from documentation.page_tables import DOCS
from documentation.performance_picture import draw_performance
from documentation.performance_tables import (
    has_baseline,
    picture_name,
    processor_sections,
    read_stored,
)
from keras_mlp.whole_files import write_text

PAGE = DOCS / "performance.md"
RESULTS = DOCS / "results"


def made_page() -> str:
    """The text of the page."""
    makers = {"processors": lambda _: processor_sections(read_stored(RESULTS))}
    return with_made_parts(PAGE.read_text(encoding="utf-8"), makers)


def draw() -> list[pathlib.Path]:
    """Draws a picture of every file with the baseline; returns their paths."""
    paths = []
    for stored in read_stored(RESULTS):
        if has_baseline(stored):
            paths.append(PAGE.with_name(picture_name(stored)))
            draw_performance(paths[-1], stored)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the page; exits on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m documentation.performance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        page, pictures = made_page(), draw()
        write_text(PAGE, page)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print("\n".join(str(path) for path in (PAGE, *pictures)))


if __name__ == "__main__":
    main()
