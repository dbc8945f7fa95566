"""A dense layer for each of several groups of features."""

import keras
from keras import ops

from keras_mlp.arguments import check_bool, check_positive_int
from keras_mlp.layers.initializers import torch_uniform


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedDense(keras.layers.Layer):
    """Multiplies each group of features by a matrix of its own.

    PyTorch writes this as a 1 x 1 convolution with groups, which TensorFlow has on some devices
    only; here it is one batched matrix product.

    Args:
        units: number of outputs D of a group.
        use_bias: add a bias, one number per group and output.
        kernel_initializer, bias_initializer: None for PyTorch's default, uniform in
            +-1 / sqrt(F).
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, G, F) -> (B, G, D).

    Raises:
        ValueError: `units` is no count, or the input has another rank than 3.

    >>> tuple(GroupedDense(8)(numpy.ones((2, 4, 3))).shape)
    (2, 4, 8)
    """

    def __init__(
        self, units, use_bias=True, kernel_initializer=None, bias_initializer=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.units = check_positive_int("units", units)
        self.use_bias = check_bool("use_bias", use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape):
        _, groups, features = input_shape
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

    def call(self, inputs):
        outputs = ops.einsum("ngi,gio->ngo", inputs, self.kernel)
        return outputs if self.bias is None else outputs + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
