"""Batches decoded and augmented by other processes: a tf.data service."""

import socket

import tensorflow as tf

ANSWER_SECONDS = 10


def served(batches: tf.data.Dataset, address: str) -> tf.data.Dataset:
    """The same batches, made by the workers of a service, in no fixed order.

    Each worker runs `batches` from the start on its own part of the source dataset: no element is
    lost or processed twice.

    Args:
        batches: a dataset whose functions do not call Python.
        address: address of the service's dispatcher; see `training.config.Data`.

    Returns:
        A dataset of batches.

    Raises:
        ValueError: nothing answers at that address.
    """
    _check_answer(address)
    policy = tf.data.experimental.service.ShardingPolicy.DYNAMIC
    return batches.apply(tf.data.experimental.service.distribute(policy, address))


def _check_answer(address: str) -> None:
    """Raises ValueError if nothing answers: TensorFlow itself would retry forever, silently."""
    host, _, port = address.split("://")[-1].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (ValueError, OSError, OverflowError) as error:
        raise ValueError(
            f"`data.service`={address!r} does not answer ({error}); it must be the address of a "
            'tf.data service\'s dispatcher, such as "grpc://host:5000".'
        ) from error
