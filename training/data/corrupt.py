"""Damaged pictures: left out and named, up to a limit, while all others keep their places."""

import contextlib
import logging

import numpy as np
import tensorflow as tf

log = logging.getLogger(__name__)


def attempt(decode, inputs, otherwise):
    """`decode(*inputs)`, or `otherwise` where that fails; inside a `map` of a dataset.

    Args:
        decode: function from tensors to a tuple of tensors.
        inputs: tuple of tensors.
        otherwise: tuple of tensors like those that `decode` returns.
    """
    tried = tf.data.Dataset.from_tensors(inputs).map(decode).ignore_errors()
    fallback = tf.data.Dataset.from_tensors(otherwise)
    return tried.concatenate(fallback).take(1).get_single_element()


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
