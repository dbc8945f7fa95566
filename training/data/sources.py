"""Where labelled pictures come from: found in seconds, or an error that says what to do."""

import os
import pathlib

import tensorflow as tf
import tensorflow_datasets as tfds

from keras_mlp.arguments import describe_choices
from training.data.arrays import ArrayFile
from training.data.image_folder import ImageFolder
from training.data.imagenet_records import ImageNetRecords

FOLDERS = {"image_folder": ImageFolder, "imagenet_tfrecord": ImageNetRecords}


def open_source(data):
    """The source that a config names.

    A source has the attributes `place` (for messages), `classes` (names, in the order of the
    labels), `splits` (from a name to a number of examples), `channels` and `image_shape` ((H, W, C)
    of every picture; None where sizes differ); and the functions

    - `read(split, start, stop)`: those examples in a fixed order, as a dataset of (stored picture,
      int64 label, name), of which nothing is decoded;
    - `content(stored)`: the bytes of its file;
    - `decode(content)`: uint8 (H, W, C), where all pictures are of one size.

    Args:
        data: a `training.config.Data`.

    Returns:
        `ArraySource`, `PreparedDataset`, `ImageFolder` or `ImageNetRecords`.

    Raises:
        ValueError: there is no such dataset, or it is not what it should be.
    """
    if data.name == "arrays":
        return ArraySource(data.data_dir)
    if data.name not in FOLDERS:
        return PreparedDataset(find_dataset(data.name, data.data_dir))
    if data.data_dir is None:
        raise ValueError(f"`data.name`={data.name!r} needs `data.data_dir`, the folder it is in.")
    root = pathlib.Path(data.data_dir).absolute()  # a service's workers may run in another folder
    if not root.is_dir():
        raise ValueError(f"`data.data_dir` {root} is no folder.")
    return FOLDERS[data.name](root, (data.train_split, data.test_split))


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
        builder: of `find_dataset`.
    """

    def __init__(self, builder):
        self.builder = builder
        self.place = builder.name
        self.image = builder.info.features["image"]
        self.classes = list(builder.info.features["label"].names)
        self.splits = {name: info.num_examples for name, info in builder.info.splits.items()}
        shape = tuple(self.image.shape)
        self.channels = shape[-1]
        self.image_shape = None if None in shape else shape

    def read(self, split, start, stop):
        where = f"{self.place} {split}[{start}:{stop}], example"
        part = tfds.core.ReadInstruction(split, from_=start, to=stop, unit="abs")
        # Other features of an example may be images too.
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

        def named(number, example):
            name = tf.strings.join([where, tf.strings.as_string(number)], " ")
            return example["image"], example["label"], name

        return examples.enumerate().map(named)

    def content(self, stored):
        return stored

    def decode(self, content):
        return self.image.decode_example(content)


def find_dataset(name, data_dir=None):
    """The TFDS builder of a dataset that is ready to be read.

    Digits are embedded and prepared here, once, from what scikit-learn ships. Anything else must
    have been prepared: TFDS would retry a missing download for minutes.

    Args:
        name: "digits" or the name of a stock TFDS dataset.
        data_dir: where TFDS keeps prepared datasets; None for its default
            (`~/tensorflow_datasets` or the variable TFDS_DATA_DIR).

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: the name is unknown, the dataset is not prepared, or its examples are not
            labelled images.
    """
    if name == "digits":
        from training.data.digits import Digits

        builder = Digits(data_dir=data_dir)
        if not builder.is_prepared():
            tfds.disable_progress_bar()  # a second of work
            builder.download_and_prepare()
        return builder
    known = tfds.list_builders(with_community_datasets=False)
    if name not in known:
        near = describe_choices(name, ["digits", *FOLDERS, *known]).split("Allowed:")[0]
        raise ValueError(f"`data.name` is {name!r}, which TFDS does not know. {near}")
    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        root = pathlib.Path(os.fspath(builder.data_dir)).parents[1]
        raise ValueError(
            f"{name} is not prepared in {root}. On a machine with network: "
            f'python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', data_dir='{root}').download_and_prepare()\""
        )
    missing = {"image", "label"} - set(builder.info.features)
    if missing:
        raise ValueError(f"{name} has no feature {missing}: it is not a set of labelled images.")
    image, label = builder.info.features["image"], builder.info.features["label"]
    if not isinstance(image, tfds.features.Image) or image.tf_dtype != tf.uint8:
        raise ValueError(f"{name} holds no images of 8 bits a channel.")
    if not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"The labels of {name} are no classes.")
    return builder
