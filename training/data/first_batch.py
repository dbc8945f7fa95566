"""Shows the first batch of a stream to a function."""

from collections.abc import Callable

import tensorflow as tf

from keras_mlp.typing import Array


def with_first_seen(
    batches: tf.data.Dataset, see: Callable[[Array, Array], None]
) -> tf.data.Dataset:
    """Passes batches on and shows the first one to a function.

    Reading the first batch separately would fill the shuffle buffer twice, which takes minutes for
    a large dataset.

    Args:
        batches: dataset of (images, labels).
        see: function that takes the images and labels of the first batch as arrays.

    Returns:
        A dataset of the same (images, labels).
    """

    def look(images: Array, labels: Array) -> Array:
        see(images, labels)
        return images

    def pass_on(
        number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch

        def seen() -> tf.Tensor:
            same = tf.numpy_function(look, [images, labels], images.dtype)
            return tf.ensure_shape(same, images.shape)

        return tf.cond(number == 0, seen, lambda: images), labels

    return batches.enumerate().map(pass_on)
