"""The two classifiers of a model that was trained by distillation through attention."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_initializer, check_positive_int, clone_initializer
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class DistilledHead(Composite):
    """The mean of a classifier of the class token and one of the distillation token.

    Touvron et al. (arXiv:2012.12877) trained one on labels and the other on a teacher's
    predictions, and average them at inference.

    Args:
        units: number of classes K.
        kernel_initializer: initializer of both kernels.
        bias_initializer: initializer of both biases.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, 2 C), the class token and then the distillation token -> (B, K).

    Raises:
        ValueError: `units` is not a positive integer.

    >>> tuple(DistilledHead(10)(numpy.ones((2, 16))).shape)
    (2, 10)
    """

    def __init__(
        self,
        units: int,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = check_positive_int("units", units)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1) // 2
        self.kernel, self.bias = self._classifier("", channels)
        self.distillation_kernel, self.distillation_bias = self._classifier(
            "distillation_", channels
        )
        self.built = True

    def _classifier(self, prefix: str, channels: int) -> tuple[keras.Variable, keras.Variable]:
        # Clones: an unseeded initializer returns the same values each time it is called.
        kernel, bias = (
            clone_initializer(self.kernel_initializer),
            clone_initializer(self.bias_initializer),
        )
        return (
            self.add_weight((channels, self.units), name=f"{prefix}kernel", initializer=kernel),
            self.add_weight((self.units,), name=f"{prefix}bias", initializer=bias),
        )

    def call(self, inputs: Tensor) -> Tensor:
        class_token, distillation_token = ops.split(inputs, 2, axis=-1)
        one = ops.matmul(class_token, self.kernel) + self.bias
        other = ops.matmul(distillation_token, self.distillation_kernel) + self.distillation_bias
        return (one + other) / 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
