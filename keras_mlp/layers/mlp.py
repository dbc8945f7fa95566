"""The two-layer MLP over channels."""

from collections.abc import Callable
from typing import Any

import keras

from keras_mlp.arguments import (
    check_bool,
    check_initializer,
    check_optional,
    check_positive_int,
    check_rate,
    clone_initializer,
)
from keras_mlp.layers.activations import gelu, gelu_tanh, quick_gelu
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class MLP(Composite):
    """Dense, GELU, dense, over the last axis, with dropout after the GELU and at the end.

    Args:
        hidden_dim: number of hidden units.
        dropout_rate: in [0, 1).
        gelu_approximate: use the tanh approximation of GELU.
        kernel_initializer: initializer of both kernels.
        bias_initializer: initializer of both biases.
        output_dim: number of output channels D; None for C.
        quick_gelu: use CLIP's approximation of GELU, `x * sigmoid(1.702 x)`.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., D).

    Raises:
        ValueError: an argument is out of range, or both approximations are asked for.

    >>> tuple(MLP(hidden_dim=32)(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def __init__(
        self,
        hidden_dim: int,
        dropout_rate: float = 0.0,
        gelu_approximate: bool = False,
        kernel_initializer: Initializer = "lecun_normal",
        bias_initializer: Initializer = "zeros",
        output_dim: int | None = None,
        quick_gelu: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.gelu_approximate = check_bool("gelu_approximate", gelu_approximate)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)
        self.output_dim = check_optional("output_dim", output_dim, check_positive_int)
        self.quick_gelu = check_bool("quick_gelu", quick_gelu)
        if quick_gelu and gelu_approximate:
            raise ValueError(
                "`gelu_approximate` and `quick_gelu` are two approximations of GELU: set one to "
                "False."
            )

    def build(self, input_shape: Shape) -> None:
        activation = gelu_tanh if self.gelu_approximate else gelu
        if self.quick_gelu:
            activation = quick_gelu
        hidden_shape = (*input_shape[:-1], self.hidden_dim)
        self.fc1 = self._dense(self.hidden_dim, "fc1", activation)
        self.dropout1 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.fc2 = self._dense(self.output_dim or known_axis(input_shape, -1), "fc2")
        self.dropout2 = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        self.fc1.build(input_shape)
        self.dropout1.build(hidden_shape)
        self.fc2.build(hidden_shape)
        self.dropout2.build((*input_shape[:-1], self.fc2.units))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        hidden = self.dropout1(self.fc1(inputs), training=training)
        return self.dropout2(self.fc2(hidden), training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.output_dim or input_shape[-1])

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "output_dim": self.output_dim,
            "quick_gelu": self.quick_gelu,
        }

    def _dense(
        self, units: int, name: str, activation: Callable[[Tensor], Tensor] | None = None
    ) -> Dense:
        return self._new_dense(
            name,
            units=units,
            activation=activation,
            # Clones: an unseeded initializer returns the same values each time it is called.
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            dtype=self.dtype_policy,
        )

    def _new_dense(self, name: str, **arguments: Any) -> Dense:
        return Dense(name=name, **arguments)
