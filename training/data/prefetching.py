"""Batches that are made while the model computes."""

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same dataset without tf.data's tuner.

    The tuner sleeps for up to a minute at a time, and whoever drops an iterator waits until it
    wakes up. Without it, parallel steps use all cores.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Makes batches ahead of their use.

    On GPUs and TPUs tf.distribute adds an iterator for each device, which no option reaches.
    """
    return untuned(batches.prefetch(tf.data.AUTOTUNE))
