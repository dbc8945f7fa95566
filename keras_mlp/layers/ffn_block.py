"""The channel MLP of RepMLPNet."""

import keras

from keras_mlp.arguments import check_positive_int, check_rate
from keras_mlp.layers.activations import gelu
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.torch_defaults import torch_batch_norm


@keras.saving.register_keras_serializable("keras_mlp")
class FFNBlock(keras.layers.Layer):
    """The channel MLP of RepMLPNet: dense layers without bias, each with a BatchNorm behind it.

    Args:
        hidden_dim: number of hidden units.
        dropout_rate: in [0, 1), after the GELU and at the end.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(FFNBlock(32)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(self, hidden_dim, dropout_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)

    def build(self, input_shape):
        hidden_shape = (*input_shape[:-1], self.hidden_dim)
        self.fc1 = self._dense(input_shape, self.hidden_dim, "fc1")
        self.fc1_norm = torch_batch_norm(self.dtype_policy, "fc1_norm")
        self.fc1_norm.build(hidden_shape)
        self.dropout1 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.fc2 = self._dense(hidden_shape, input_shape[-1], "fc2")
        self.fc2_norm = torch_batch_norm(self.dtype_policy, "fc2_norm")
        self.fc2_norm.build(input_shape)
        self.dropout2 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs, training=None):
        hidden = gelu(self.fc1_norm(self.fc1(inputs), training=training))
        hidden = self.dropout1(hidden, training=training)
        outputs = self.fc2_norm(self.fc2(hidden), training=training)
        return self.dropout2(outputs, training=training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "dropout_rate": self.dropout_rate,
        }

    def _dense(self, input_shape, units, name):
        dense = Dense(
            units,
            use_bias=False,
            kernel_initializer=torch_uniform(input_shape[-1]),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(input_shape)
        return dense
