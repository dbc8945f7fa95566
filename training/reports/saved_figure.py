"""Figures as PNG files."""

import pathlib
import warnings

import matplotlib.figure

from keras_mlp.whole_files import whole_file


def save_figure(figure: matplotlib.figure.Figure, path: str | pathlib.Path) -> None:
    """Writes a figure, whole or not at all.

    Characters that matplotlib's font lacks, such as Chinese ones in names of classes, are drawn as
    boxes. Its warning of each of them would fill the terminal.
    """
    with whole_file(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(file, dpi=110)
