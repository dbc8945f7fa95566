"""Sources of labelled pictures: opened in seconds, or an error that says what to do."""

import os
import pathlib
from typing import Protocol

import tensorflow as tf
import tensorflow_datasets as tfds

from keras_mlp.arguments import describe_choices
from keras_mlp.errors import first_line
from training.config import Data
from training.data import checks
from training.data.arrays import ArrayFile
from training.data.image_folder import ImageFolder
from training.data.imagenet_records import ImageNetRecords
from training.data.own_pictures import OwnPictures

_OTHER_FOLDER = (
    "Set `data.data_dir`, or the environment variable TFDS_DATA_DIR, to a folder that can be "
    "written."
)


class Source(checks.Source, Protocol):
    """Labelled pictures in files, not decoded yet.

    A source whose pictures all have `image_shape` also has `decode(content)`, which returns uint8
    (H, W, C).

    Attributes:
        place: where the pictures are, for messages.
        classes: names of the classes, in the order of the labels.
        splits: maps the name of each split to its number of examples.
        channels: number of channels; None if pictures are decoded as the model asks.
        image_shape: (H, W, C) of every picture; None if sizes differ.
    """

    @property
    def image_shape(self) -> tuple[int, ...] | None: ...

    def read(self, split: str, start: int, stop: int) -> tf.data.Dataset:
        """Examples in a fixed order: a dataset of (stored picture, int64 label, name)."""

    def content(self, stored: tf.Tensor) -> tf.Tensor:
        """The bytes of a stored picture's file."""


def open_source(data: Data) -> Source:
    """Opens the source that a config names.

    Args:
        data: a `training.config.Data`.

    Returns:
        `ArraySource`, `PreparedDataset`, `ImageFolder` or `ImageNetRecords`.

    Raises:
        ValueError: the dataset does not exist, or is not a dataset of labelled images.
    """
    if data.name == "arrays":
        return ArraySource(data.data_dir)
    if data.name not in checks.PICTURES:
        return PreparedDataset(find_dataset(data.name, data.data_dir))
    if data.data_dir is None:
        raise ValueError(f"`data.name`={data.name!r} needs `data.data_dir`, the folder it is in.")
    # Absolute: the workers of a service may have another working directory.
    root = pathlib.Path(data.data_dir).absolute()
    if not root.is_dir():
        raise ValueError(f"`data.data_dir` {root} is not a folder.")
    splits = checks.named_splits(data)
    if data.name == checks.OWN_PICTURES:
        return OwnPictures(root, data)
    if data.name == "image_folder":
        return ImageFolder(root, splits, data)
    return ImageNetRecords(root, splits)


class ArraySource(ArrayFile):
    """The arrays of an `.npz` file as a source; see `open_source`. Its pictures are pixels."""

    def read(self, split: str, start: int, stop: int) -> tf.data.Dataset:
        images, labels = self.columns(split)
        examples = tf.data.Dataset.from_tensor_slices((images[start:stop], labels[start:stop]))
        return examples.map(lambda image, label: (image, label, ""))

    def content(self, stored: tf.Tensor) -> tf.Tensor:
        return stored

    def decode(self, content: tf.Tensor) -> tf.Tensor:
        return content


class PreparedDataset:
    """A prepared TFDS dataset as a source; see `open_source`.

    Args:
        builder: what `find_dataset` returned.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder) -> None:
        self.builder = builder
        self.place = builder.name
        self.image = builder.info.features["image"]
        self.classes = list(builder.info.features["label"].names)
        self.splits = {name: info.num_examples for name, info in builder.info.splits.items()}
        shape = tuple(self.image.shape)
        self.channels = shape[-1]
        self.image_shape = None if None in shape else shape

    def read(self, split: str, start: int, stop: int) -> tf.data.Dataset:
        where = f"{self.place} {split}[{start}:{stop}], example"
        part = tfds.core.ReadInstruction(split, from_=start, to=stop, unit="abs")
        # An example may have more than one image.
        images = (
            key
            for key, feature in self.builder.info.features.items()
            if isinstance(feature, tfds.features.Image)
        )
        examples = self.builder.as_dataset(
            split=part,
            decoders={key: tfds.decode.SkipDecoding() for key in images},
            read_config=tfds.ReadConfig(try_autocache=False),
            shuffle_files=False,
        )

        def named(
            number: tf.Tensor, example: dict[str, tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            name = tf.strings.join([where, tf.strings.as_string(number)], " ")
            return example["image"], example["label"], name

        return examples.enumerate().map(named)

    def content(self, stored: tf.Tensor) -> tf.Tensor:
        return stored

    def decode(self, content: tf.Tensor) -> tf.Tensor:
        return self.image.decode_example(content)


def find_dataset(name: str, data_dir: str | None = None) -> tfds.core.DatasetBuilder:
    """The TFDS builder of a dataset that is ready to read.

    The digits are embedded: they are prepared here once, from scikit-learn's copy. Any other
    dataset must be prepared already, since TFDS would retry a missing download for minutes.

    Args:
        name: "digits" or the name of a stock TFDS dataset.
        data_dir: where TFDS keeps prepared datasets; None for its default
            (`~/tensorflow_datasets` or the variable TFDS_DATA_DIR).

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: the name is unknown, the dataset is not prepared, or its examples are not
            labelled 8-bit images.
    """
    _check_data_dir(name, data_dir)
    if name == "digits":
        return _embedded_digits(data_dir)
    known = tfds.list_builders(with_community_datasets=False)
    if name not in known:
        near = describe_choices(name, ["digits", *checks.PICTURES, *known]).split("Allowed:")[0]
        raise ValueError(f"`data.name` is {name!r}, which TFDS does not know. {near}".strip())
    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        root = pathlib.Path(os.fspath(builder.data_dir)).parents[1]
        raise ValueError(f"{name} is not prepared in {root}. {_preparation(name, str(root))}")
    missing = {"image", "label"} - set(builder.info.features)
    if missing:
        raise ValueError(
            f"{name} has no feature {missing}: it is not a dataset of labelled images."
        )
    image, label = builder.info.features["image"], builder.info.features["label"]
    if not isinstance(image, tfds.features.Image) or image.tf_dtype != tf.uint8:
        raise ValueError(f"{name} does not hold images with 8 bits per channel.")
    if not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"The labels of {name} are not classes.")
    return builder


def _check_data_dir(name: str, data_dir: str | None) -> None:
    """Raises ValueError unless the folder exists: TFDS would make what may be a mistyped name."""
    if data_dir == "":
        raise ValueError(
            "`data.data_dir` must not be empty: leave it at None for the default of TFDS, or use . "
            "for the current folder."
        )
    folder = os.path.expanduser(data_dir or tfds.core.constants.DATA_DIR)
    if folder.startswith("~"):
        raise ValueError(f"There is no home folder, which {folder} is in. {_OTHER_FOLDER}")
    if data_dir is not None and not tf.io.gfile.isdir(folder):  # may be a bucket
        way_out = f"`mkdir -p {data_dir}` makes it." if name == "digits" else ""
        raise ValueError(
            f"`data.data_dir` {data_dir} is not a folder. {way_out or _preparation(name, data_dir)}"
        )


def _preparation(name: str, data_dir: str) -> str:
    """A sentence with the command that prepares a dataset."""
    return (
        "On a machine with network access, run: "
        f'python -c "import tensorflow_datasets as tfds; '
        f"tfds.builder('{name}', data_dir='{data_dir}').download_and_prepare()\""
    )


def _embedded_digits(data_dir: str | None) -> tfds.core.DatasetBuilder:
    from training.data.digits import Digits

    try:
        builder = Digits(data_dir=data_dir)
        if not builder.is_prepared():
            tfds.disable_progress_bar()  # takes a second
            builder.download_and_prepare()
    except OSError as error:
        folder = data_dir or tfds.core.constants.DATA_DIR
        raise ValueError(
            f"The digits cannot be prepared in {folder}: {first_line(error)}. {_OTHER_FOLDER}"
        ) from error
    return builder
