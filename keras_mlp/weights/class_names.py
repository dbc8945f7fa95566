"""What the classes of published classifiers are called."""

import functools
import gzip
import pathlib

from keras_mlp.arguments import check_choice

_FILE = pathlib.Path(__file__).parent / "wordnet" / "class_names.tsv.gz"
# From a set of classes to its mark in the file, whose lines are in the order of all of them.
_MARKS = {"imagenet-1k": "1", "imagenet-21k": "g", "imagenet-21k-p": "p"}


def class_names(dataset):
    """The names of a dataset's classes, in the order of the logits of the published weights.

    Args:
        dataset: "imagenet-1k" (1,000 classes), "imagenet-21k" (21,843, as Google trained on) or
            "imagenet-21k-p" (11,221, the MIIL Mixer's; Ridnik et al., arXiv:2104.10972).

    Returns:
        A tuple of strings: the words that WordNet has for a class, joined by ", ". Names are those
        of WordNet 3.0, whose licence lies beside the file. A name may occur twice: two classes of
        ImageNet-1k are called "crane".

    Raises:
        ValueError: there is no such dataset.

    >>> names = keras_mlp.class_names("imagenet-1k")
    >>> len(names), names[0]
    (1000, 'tench, Tinca tinca')
    """
    mark = _MARKS[check_choice("dataset", dataset, _MARKS)]
    return tuple(name for marks, name in _rows() if mark in marks)


@functools.cache
def _rows():
    """(marks, name) of every class of any of the datasets."""
    lines = gzip.decompress(_FILE.read_bytes()).decode().splitlines()
    return [tuple(line.split("\t")[1:]) for line in lines]
