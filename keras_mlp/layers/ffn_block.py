"""The channel MLP of RepMLPNet."""

from typing import Any

import keras

from keras_mlp.arguments import check_positive_int, check_rate
from keras_mlp.layers.activations import gelu
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.torch_defaults import torch_batch_norm
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class FFNBlock(Composite):
    """The channel MLP of RepMLPNet: dense layers without bias, each followed by BatchNorm.

    Args:
        hidden_dim: number of hidden units.
        dropout_rate: in [0, 1), applied after the GELU and to the output.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(FFNBlock(32)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(self, hidden_dim: int, dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1)
        hidden_shape = (*input_shape[:-1], self.hidden_dim)
        self.fc1 = self._dense(input_shape, self.hidden_dim, "fc1")
        self.fc1_norm = torch_batch_norm(self.dtype_policy, "fc1_norm")
        self.fc1_norm.build(hidden_shape)
        self.dropout1 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.fc2 = self._dense(hidden_shape, channels, "fc2")
        self.fc2_norm = torch_batch_norm(self.dtype_policy, "fc2_norm")
        self.fc2_norm.build(input_shape)
        self.dropout2 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        hidden = gelu(self.fc1_norm(self.fc1(inputs), training=training))
        hidden = self.dropout1(hidden, training=training)
        outputs = self.fc2_norm(self.fc2(hidden), training=training)
        return self.dropout2(outputs, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "dropout_rate": self.dropout_rate,
        }

    def _dense(self, input_shape: Shape, units: int, name: str) -> Dense:
        dense = Dense(
            units,
            use_bias=False,
            kernel_initializer=torch_uniform(known_axis(input_shape, -1)),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(input_shape)
        return dense
