"""A dense layer over the last axis, computed in the form that is fastest on the backend."""

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import keras
from keras import ops

from keras_mlp.layers import backend
from keras_mlp.layers.bias import add_bias
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Shape, Tensor

LORA_FACTORS = ("lora_kernel_a", "lora_kernel_b")


@keras.saving.register_keras_serializable("keras_mlp")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` that flattens inputs (B, ..., C) to (N, C) where that is faster.

    On TensorFlow without XLA, the matmul, bias and activation of flattened inputs run as one fused
    kernel. With more axes, `keras.layers.Dense` puts a reshape between matmul and bias, which
    prevents the fusion (measured in `benchmarks/`). Under XLA and on other backends inputs keep
    their axes, which is faster there. Weights, quantization and LoRA work as in
    `keras.layers.Dense`, except that files store LoRA factors separately from the kernel.

    Args:
        units: number of output channels D.
        **kwargs: further arguments of `keras.layers.Dense`.

    Shapes: (B, ..., C) -> (B, ..., D).

    >>> tuple(Dense(8)(numpy.ones((2, 4, 3))).shape)
    (2, 4, 8)
    """

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.input_dim = known_axis(input_shape, -1)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        shape = tuple(inputs.shape)
        inner = shape[1:-1]
        if not inner or None in inner or not backend.prefers_flat_matmul():
            return self._project(inputs, training)
        outputs = self._project(ops.reshape(inputs, (-1, shape[-1])), training)
        return ops.reshape(outputs, (-1, *inner, self.units))

    def _project(self, inputs: Tensor, training: bool | None) -> Tensor:
        """What `keras.layers.Dense` computes; the gradient of the bias is precise in bfloat16."""
        outputs = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            outputs = add_bias(outputs, self.bias, training)
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        # Keras refuses subclasses, which may compute something different; this class does not.
        type_check = type_check and type(self) is not Dense
        return super().quantize(mode, type_check=type_check, config=config)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        if not self.lora_enabled:
            return super().save_own_variables(store)
        # Keras would merge the factors into the kernel: a quantized kernel would be rounded again,
        # and both factors would be zero after loading, which leaves them without a gradient.
        with self._without_lora():
            super().save_own_variables(store)
        for name in LORA_FACTORS:
            store[name] = getattr(self, name)

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        if not self.lora_enabled:
            return super().load_own_variables(store)
        first_factor = ops.copy(self.lora_kernel_a)
        super().load_own_variables(store)  # sets both factors to 0
        self.lora_kernel_a.assign(first_factor)
        if LORA_FACTORS[0] in store:
            for name in LORA_FACTORS:
                getattr(self, name).assign(store[name])

    @contextlib.contextmanager
    def _without_lora(self) -> Iterator[None]:
        self.lora_enabled = False
        try:
            yield
        finally:
            self.lora_enabled = True
