"""A separate dense layer for each group of features."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_bool, check_initializer, check_positive_int
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.token_grid import IN, OUT, Grids, fit_tokens
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedDense(keras.layers.Layer):
    """Multiplies each group of features by its own matrix.

    PyTorch writes this as a grouped 1 x 1 convolution, which TensorFlow supports on some devices
    only. Here it is one batched matmul.

    Args:
        units: number of outputs D per group.
        use_bias: add a bias per group and output.
        kernel_initializer: initializer of the kernel; None for PyTorch's default, uniform in
            +-1 / sqrt(F).
        bias_initializer: initializer of the bias; None for the same default.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, G, F).
        grids: for features that are the tokens of a grid, if it is another one than that of the
            kernel: as for `TokenDense`.

    Shapes: (B, G, F) -> (B, G, D).

    Raises:
        ValueError: `units` is not a positive integer, `use_bias` is not a bool, or the inputs do
            not have rank 3.

    >>> tuple(GroupedDense(8)(numpy.ones((2, 4, 3))).shape)
    (2, 4, 8)
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: Initializer = None,
        bias_initializer: Initializer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = check_positive_int("units", units)
        self.use_bias = check_bool("use_bias", use_bias)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape: Shape) -> None:
        groups, features = known_axis(input_shape, 1), known_axis(input_shape, 2)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(groups, features, self.units),
            initializer=self.kernel_initializer or torch_uniform(features),
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(groups, self.units),
                initializer=self.bias_initializer or torch_uniform(features),
            )
        self.built = True

    def call(self, inputs: Tensor, grids: Grids | None = None) -> Tensor:
        kernel = fit_tokens(self.kernel, ("group", IN, OUT), grids)
        outputs = ops.einsum("ngi,gio->ngo", inputs, kernel)
        return (
            outputs if self.bias is None else outputs + fit_tokens(self.bias, ("group", OUT), grids)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
