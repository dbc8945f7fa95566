"""Writes the table of artefacts in saved_models/README.md, between two markers:

python -m saved_models.index
"""

from saved_models.command_line import index_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    index_options(__doc__)

import pathlib
from collections.abc import Sequence

from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.whole_files import write_text
from saved_models.artefact import CARD, CLASSIFIER, MANIFEST, read_metrics
from saved_models.card import card, dataset, kind
from saved_models.manifest import read_manifest
from training.program_end import clear_end

FOLDER = pathlib.Path(__file__).parent
BEGIN, END = "<!-- artefacts: begin -->", "<!-- artefacts: end -->"
_HEADER = ("name", "model", "data", "test accuracy", "parameters", "classifier", "fingerprint")


def artefact_folders(folder: str | pathlib.Path = FOLDER) -> list[pathlib.Path]:
    """The subfolders that hold a manifest, sorted by name."""
    return sorted(file.parent for file in pathlib.Path(folder).glob(f"*/{MANIFEST}"))


def table(folder: str | pathlib.Path = FOLDER) -> str:
    """A Markdown table of the artefacts in a folder, or a sentence if there are none."""
    rows = [_row(each) for each in artefact_folders(folder)]
    return markdown_table(_HEADER, rows) if rows else "There are no artefacts yet."


def with_table(text: str, folder: str | pathlib.Path = FOLDER) -> str:
    """The page's text with the table between its markers; ValueError if it lacks them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page must hold the markers {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table(folder)}\n{END}{after}"


def write_index(folder: str | pathlib.Path = FOLDER) -> None:
    """Writes the table into the folder's README.md; raises what `with_table` raises."""
    page = pathlib.Path(folder) / CARD
    write_text(page, with_table(page.read_text(encoding="utf-8"), folder))


def _row(folder: pathlib.Path) -> list[str]:
    metrics = read_metrics(folder, card)
    return [
        f"[{folder.name}]({folder.name}/{CARD})",
        kind(metrics),
        dataset(metrics).title,
        f"{metrics['test']['accuracy']:.2%}",
        f"{metrics['cost'][CLASSIFIER]['parameters']:,}",
        f"{metrics['bytes'][CLASSIFIER] / 1e6:.2f} MB",
        f"`{read_manifest(folder)['fingerprint'][:16]}`",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    index_options(__doc__, arguments)
    with clear_end():
        write_index()
    print(FOLDER / CARD)


if __name__ == "__main__":
    main()
