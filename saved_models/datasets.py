"""What a card says about the dataset that a model was trained on."""

import dataclasses

from training.data.checks import OWN_PICTURES


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Facts about a dataset.

    Attributes:
        title: its name as prose writes it.
        licence: the licence that its authors state.
        source: URL where they publish it.
        images: what they show.
    """

    title: str
    licence: str
    source: str
    images: str


DATASETS = {
    "fashion_mnist": Dataset(
        "Fashion-MNIST",
        "MIT",
        "https://github.com/zalandoresearch/fashion-mnist",
        "one article of clothing each, centred, light on black, 28 x 28 grey pixels",
    ),
    "digits": Dataset(
        "Optical Recognition of Handwritten Digits",
        "CC BY 4.0",
        "https://doi.org/10.24432/C50P49",
        "one digit each, written by 43 people, light on black, 8 x 8 grey pixels",
    ),
    "cifar10": Dataset(
        "CIFAR-10",
        "not stated by its authors",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "one object of ten kinds each, 32 x 32 pixels in colour",
    ),
}


# `data.name`s of training.config that are kinds of files, not data sets of TFDS.
_OWN_FILES = ("arrays", "image_folder", OWN_PICTURES)


def is_own(name: str) -> bool:
    """Whether a `data.name` stands for files of whoever trained, not for a data set of TFDS."""
    return name in _OWN_FILES


def dataset_facts(name: str) -> Dataset:
    """The `Dataset` with a TFDS name; for one that is not listed here, a pointer to its page."""
    if is_own(name):
        return Dataset(
            "the maker's own pictures", "ask the maker", "not published", "not described"
        )
    page = f"https://www.tensorflow.org/datasets/catalog/{name}"
    return DATASETS.get(name) or Dataset(name, "see its source", page, "see its source")
