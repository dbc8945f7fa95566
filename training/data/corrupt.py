"""Damaged pictures: left out and named, up to a limit, while all others keep their places."""

import contextlib
import logging

import numpy as np
import tensorflow as tf

log = logging.getLogger(__name__)


# Examples that are tried together. TensorFlow prepares a function anew for each try, which takes a
# tenth of what a photograph takes; shared by so many it is hardly seen.
BLOCK = 8


def attempt_each(examples, decode, otherwise):
    """`decode(*example)` of every example, or `otherwise(*example)` where that fails.

    Args:
        examples: dataset.
        decode: function from tensors to a nest of tensors.
        otherwise: function from the same to a nest of tensors like those of `decode`.

    Returns:
        Dataset of as many examples, in the same order.
    """

    def one(*example):
        return _first(
            tf.data.Dataset.from_tensors(example).map(decode).ignore_errors(),
            tf.data.Dataset.from_tensors(otherwise(*example)),
        )

    def block(*batch):
        singles = tf.data.Dataset.from_tensor_slices(batch)
        # A window holds examples without copying them. One that lost some is dropped.
        whole = singles.map(decode).ignore_errors().window(BLOCK, drop_remainder=True)
        return _first(whole, singles.map(one).window(BLOCK))

    windows = examples.batch(BLOCK).map(block, tf.data.AUTOTUNE, deterministic=True)
    return windows.flat_map(lambda *window: tf.data.Dataset.zip(window))


def _first(dataset, fallback):
    """The first element of a dataset, or of another where that has none."""
    return dataset.concatenate(fallback).take(1).get_single_element()


class Ledger:
    """The damaged pictures that were met.

    Args:
        limit: how many there may be.

    Attributes:
        names: of those pictures, in the order in which they were met.
    """

    def __init__(self, limit):
        self.limit = limit
        self.names = []

    def account(self, examples):
        """Notes the names of damaged pictures as they come by.

        Args:
            examples: dataset of (images, labels, names), single ones or batches; names are empty
                but for damaged pictures.

        Returns:
            Dataset of (images, labels), which fails when the limit is passed.
        """

        def noted(names, labels):
            same = tf.numpy_function(self._note, [names, labels], labels.dtype)
            return tf.ensure_shape(same, labels.shape)

        def check(images, labels, names):
            is_damaged = tf.reduce_any(names != "")
            return images, tf.cond(is_damaged, lambda: noted(names, labels), lambda: labels)

        return examples.map(check)

    @contextlib.contextmanager
    def explained(self):
        """Inside, TensorFlow's error for damaged data is a ValueError that names what is."""
        try:
            yield
        except tf.errors.OpError as error:
            if reason := self._reason():
                raise ValueError(reason) from None
            if isinstance(error, tf.errors.DataLossError):
                raise ValueError(f"A file of records is damaged: {error.message}") from None
            raise

    def _note(self, names, labels):
        for name in np.ravel(names).astype(str).tolist():
            if name and name not in self.names:
                self.names.append(name)
                log.warning("Damaged picture, left out: %s", name)
        if reason := self._reason():
            raise ValueError(reason)
        return labels

    def _reason(self):
        if len(self.names) <= self.limit:
            return None
        shown = "; ".join(self.names[:10]) + ("; ..." if len(self.names) > 10 else "")
        return (
            f"{len(self.names)} damaged picture(s), more than `data.max_corrupt`={self.limit}: "
            f"{shown}."
        )
