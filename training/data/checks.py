"""What a config's data section must fit: the splits, classes and channels of its source."""

import typing

from keras_mlp.arguments import class_name_fault
from training.config import Data

# Data sets that are files of pictures in `data.data_dir`.
OWN_PICTURES = "pictures"  # split by a seed, or as its folders say
PICTURES = ("image_folder", OWN_PICTURES, "imagenet_tfrecord")


class Source(typing.Protocol):
    """Where labelled images come from.

    Attributes:
        place: what messages call it.
        classes: names, in the order of the labels.
        splits: from a name to the number of its images.
    """

    place: str
    classes: list[str]

    @property
    def splits(self) -> typing.Mapping[str, int]: ...

    @property
    def channels(self) -> int | None: ...


def named_splits(data: Data) -> list[str]:
    """The splits that a config names, each once; the one to train on comes first."""
    names = data.train_split, data.validation_split, data.test_split
    return [name for name in dict.fromkeys(names) if name]


def check_data(source: Source, data: Data, image_shape: tuple[int, ...]) -> None:
    """Raises ValueError where a source lacks what a config asks for, or has impossible names."""
    for key in ("train_split", "validation_split", "test_split"):
        if key == "validation_split" and not data.validation_split:
            continue
        if getattr(data, key) not in source.splits:
            raise ValueError(
                f"`data.{key}` is {getattr(data, key)!r}; {source.place} has "
                f"{', '.join(source.splits)}."
            )
    channels = source.channels or (image_shape[-1] if image_shape[-1] in (1, 3) else "1 or 3")
    if channels != image_shape[-1]:
        raise ValueError(
            f"{source.place} has {channels} channel(s), `model.arguments.image_shape` "
            f"{image_shape} asks for {image_shape[-1]}."
        )
    check_names(source.classes, source.place)
    labels, classes = range(len(source.classes)), data.classes
    if not set(classes) <= set(labels) or len(set(classes)) < len(classes):
        raise ValueError(
            f"`data.classes` must be different labels from 0 to {labels[-1]}, got {classes}."
        )
    found = len(classes or labels)
    if data.num_classes and data.num_classes != found:
        raise ValueError(
            f"`data.num_classes` is {data.num_classes}; {source.place} has {found} class(es)."
        )
    if data.shard == "files" and data.examples_per_class:
        raise ValueError('`data.examples_per_class` needs `data.shard="examples"`.')


def check_names(names: typing.Iterable[typing.Any], place: str) -> None:
    """Raises ValueError for a class name that the files of a run could not hold."""
    for name in names:
        if fault := class_name_fault(name):
            raise ValueError(
                f"{place} has the class name {ascii(name)[:200]}: {fault}. Names of classes must "
                "be one line of text each; rename it."
            )


def kept_for_training(count: int, data: Data) -> int:
    """How many of `count` training images are left after the last ones are held out."""
    percent = 0 if data.validation_split else data.validation_percent
    return round(count * (100 - percent) / 100)


def held_out(source: Source, data: Data) -> tuple[str, int, int] | None:
    """The split, first and last number of the validation images; None if there are none."""
    if data.validation_split:
        return data.validation_split, 0, source.splits[data.validation_split]
    count = source.splits[data.train_split]
    kept = kept_for_training(count, data)
    return (data.train_split, kept, count) if data.validation_percent else None
