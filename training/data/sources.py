"""Finds a prepared dataset, in seconds or with an error that says what to do."""

import os
import pathlib

import tensorflow_datasets as tfds

from keras_mlp.arguments import describe_choices


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
        near = describe_choices(name, ["digits", *known]).split("Allowed:")[0]
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
    return builder
