"""Runs whose pictures nobody looks at leave them blank: drawing takes a third of a short run."""

import contextlib
from unittest import mock

from matplotlib.figure import Figure


@contextlib.contextmanager
def blank_pictures():
    """A `with` block in which every file of a picture is written, and shows nothing."""
    savefig = Figure.savefig

    def save_blank(figure, target, **options):
        savefig(Figure(figsize=(1, 1)), target, **options)

    with mock.patch.object(Figure, "savefig", save_blank):
        yield
