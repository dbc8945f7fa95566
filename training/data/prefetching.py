"""Batches that are made while the model computes."""

import tensorflow as tf


def prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Makes batches ahead of their use, without tf.data's tuner.

    The tuner sleeps for up to a minute at a time, and whoever drops an iterator waits until it
    wakes up. Without it, parallel steps use all cores. (tf.distribute adds an iterator for each
    device, which no option reaches.)
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)
