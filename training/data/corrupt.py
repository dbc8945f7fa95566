"""Damaged pictures: skipped and named, up to a limit, while all others keep their places."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_mlp.typing import Array
from training.data.damage import beyond_limit, described

log = logging.getLogger(__name__)


# Examples that are tried together. TensorFlow instantiates a function for each try, at a tenth of
# the cost of decoding a photograph; a block shares that cost.
BLOCK = 8


def attempt_each(
    examples: tf.data.Dataset, decode: Callable[..., Any], otherwise: Callable[..., Any]
) -> tf.data.Dataset:
    """Maps every example to `decode(*example)`, or to `otherwise(*example)` if that fails.

    Args:
        examples: a dataset.
        decode: function from tensors to a nest of tensors.
        otherwise: function with the same signature as `decode`.

    Returns:
        A dataset of as many examples, in the same order.
    """
    decode = tf.function(decode, autograph=False)  # traced once for both uses

    def one(*example: tf.Tensor) -> Any:
        return _first(
            tf.data.Dataset.from_tensors(example).map(decode).ignore_errors(),
            tf.data.Dataset.from_tensors(otherwise(*example)),
        )

    def block(*batch: tf.Tensor) -> Any:
        singles = tf.data.Dataset.from_tensor_slices(batch)
        size = singles.cardinality()  # the last block may be smaller
        # A window holds examples without copying them; an incomplete one is dropped.
        whole = singles.map(decode).ignore_errors().window(size, drop_remainder=True)
        return _first(whole, singles.map(one).window(size))

    windows = examples.batch(BLOCK).map(block, tf.data.AUTOTUNE, deterministic=True)
    return windows.flat_map(lambda *window: tf.data.Dataset.zip(window))


def _first(dataset: tf.data.Dataset, fallback: tf.data.Dataset) -> Any:
    """The first element of a dataset, or of the fallback if the dataset is empty."""
    return dataset.concatenate(fallback).take(1).get_single_element()


class Ledger:
    """The damaged pictures found so far.

    Args:
        limit: how many are allowed.
        explain: function from the name of a picture to why it cannot be read, "" if not known.

    Attributes:
        names: their names, in the order in which they were found.
    """

    def __init__(self, limit: int, explain: Callable[[str], str] = lambda name: "") -> None:
        self.limit, self.explain = limit, explain
        self.names: list[str] = []

    def account(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """Records the names of damaged pictures while the dataset is read.

        Args:
            examples: dataset of (images, labels, names), single examples or batches; a name is
                empty unless its picture is damaged.

        Returns:
            A dataset of (images, labels), which fails once the limit is exceeded.
        """

        def noted(names: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            same = tf.numpy_function(self._note, [names, labels], labels.dtype)
            return tf.ensure_shape(same, labels.shape)

        def check(
            images: tf.Tensor, labels: tf.Tensor, names: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            is_damaged = tf.reduce_any(names != "")
            return images, tf.cond(is_damaged, lambda: noted(names, labels), lambda: labels)

        return examples.map(check)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns TensorFlow's error for damaged data into a ValueError that names the data."""
        try:
            yield
        except tf.errors.OpError as error:
            if reason := self._reason():
                raise ValueError(reason) from None
            if isinstance(error, tf.errors.DataLossError):
                raise ValueError(f"A file of records is damaged: {error.message}") from None
            raise

    def _note(self, names: Array, labels: Array) -> Array:
        for name in map(os.fsdecode, np.ravel(names).tolist()):
            if name and name not in self.names:
                self.names.append(name)
                log.warning("Skipped a damaged picture: %s", described(name, self.explain(name)))
        if reason := self._reason():
            raise ValueError(reason)
        return labels

    def _reason(self) -> str | None:
        if len(self.names) <= self.limit:
            return None  # explaining each opens its file
        return beyond_limit({name: self.explain(name) for name in self.names}, self.limit)
