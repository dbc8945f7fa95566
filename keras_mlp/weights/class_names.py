"""The names of the classes of published classifiers."""

import functools
import gzip
import pathlib

from keras_mlp.arguments import check_choice

_FILE = pathlib.Path(__file__).parent / "wordnet" / "class_names.tsv.gz"
# From a dataset to its mark in the file. The lines are in the order of classes of every dataset.
_MARKS = {"imagenet-1k": "1", "imagenet-21k": "g", "imagenet-21k-p": "p"}


def class_names(dataset: str) -> tuple[str, ...]:
    """Returns the names of a dataset's classes in the order of the published weights' logits.

    Args:
        dataset: "imagenet-1k" (1,000 classes), "imagenet-21k" (21,843, as Google trained on) or
            "imagenet-21k-p" (11,221, the MIIL Mixer's; Ridnik et al., arXiv:2104.10972).

    Returns:
        The words of WordNet 3.0 for each class, joined by ", ". Names are not unique: two classes
        of ImageNet-1k are called "crane". WordNet's licence is next to the data file.

    Raises:
        ValueError: the dataset is not one of these.

    >>> names = keras_mlp.class_names("imagenet-1k")
    >>> len(names), names[0]
    (1000, 'tench, Tinca tinca')
    """
    mark = _MARKS[check_choice("dataset", dataset, _MARKS)]
    return tuple(name for marks, name in _rows() if mark in marks)


def names_of(num_classes: int) -> tuple[str, ...] | None:
    """Returns the names of a published classifier's classes by their number; None if not known."""
    counts = {len(class_names(dataset)): dataset for dataset in _MARKS}
    return class_names(counts[num_classes]) if num_classes in counts else None


@functools.cache
def _rows() -> list[tuple[str, str]]:
    """Returns (marks, name) of every class of any dataset."""
    lines = gzip.decompress(_FILE.read_bytes()).decode().splitlines()
    rows = (line.split("\t") for line in lines)
    return [(marks, name) for _, marks, name in rows]
