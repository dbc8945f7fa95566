"""Reads the TensorBoard files of a run with TensorFlow."""

import tensorflow as tf
from tensorflow.core.util import event_pb2


def curves_of(folder):
    """From (part, tag) to the (step, value) pairs of a run's folder `tensorboard`."""
    curves = {}
    for part in ("train", "validation"):
        (file,) = (folder / part).glob("events*")
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                point = event.step, float(tf.make_ndarray(value.tensor))
                curves.setdefault((part, value.tag), []).append(point)
    return curves
