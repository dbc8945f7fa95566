"""AdamW as one operation of TensorFlow for each variable."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_mlp.typing import Tensor


class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW, computed by TensorFlow's own operation for Adam.

    An update does little more than read and write memory. Keras' form writes every intermediate
    result to memory, a dozen tensors of the size of a variable; the operation writes the variable
    and its two moments (docs/training.md has the gain of a step). Variables, configuration and
    checkpoints are those of Keras' class, and weights equal its to rounding.
    """

    def _apply_weight_decay(self, variables: Sequence[tf.Variable]) -> None:
        """Left to `update_step`: Keras evaluates the schedule here, for each variable anew."""

    def update_step(self, gradient: Tensor, variable: tf.Variable, learning_rate: Tensor) -> None:
        if self.weight_decay and self._use_weight_decay(variable):
            variable.assign_sub(
                variable * tf.cast(learning_rate * self.weight_decay, variable.dtype)
            )
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        dtype, index = variable.dtype, self._get_variable_index(variable)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        step = tf.cast(self.iterations.value + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )
