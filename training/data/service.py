"""Batches that other processes decode and augment: a tf.data service."""

import socket

import tensorflow as tf

ANSWER_SECONDS = 10


def served(batches, address):
    """The same batches, made by the workers of a service, in an order that is not fixed.

    Each worker runs `batches` from the start, with other elements of the dataset that they begin
    with: none of those is lost, and none is worked on twice.

    Args:
        batches: dataset, whose functions must not call Python.
        address: see `training.config.Data`.

    Raises:
        ValueError: nothing answers at that address.
    """
    _check_answer(address)
    policy = tf.data.experimental.service.ShardingPolicy.DYNAMIC
    return batches.apply(tf.data.experimental.service.distribute(policy, address))


def _check_answer(address):
    """TensorFlow itself would try for ever, and say nothing."""
    host, _, port = address.split("://")[-1].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (ValueError, OSError, OverflowError) as error:
        raise ValueError(
            f"`data.service`={address!r} does not answer ({error}); it must be the address of the "
            'dispatcher of a tf.data service, such as "grpc://host:5000".'
        ) from error
