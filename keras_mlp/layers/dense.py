"""A dense layer over the last axis, computed in the form that is fastest where it runs."""

import contextlib

import keras
from keras import ops

from keras_mlp.layers import backend

LORA_FACTORS = ("lora_kernel_a", "lora_kernel_b")


@keras.saving.register_keras_serializable("keras_mlp")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` for inputs (B, ..., C), flattened to (N, C) where that is faster.

    On TensorFlow without XLA a product of two matrices, its bias and its activation become one
    fused kernel; over more axes Keras' layer puts a reshape between product and bias, and the
    fusion is lost (measured in `benchmarks/`). Under XLA, and on other backends, the product over
    all axes is the faster form. Weights, quantization and LoRA are those of `keras.layers.Dense`,
    except that files keep LoRA factors apart from the kernel.

    Args:
        units: number of output channels D.
        **kwargs: as for `keras.layers.Dense`.

    Shapes: (B, ..., C) -> (B, ..., D).

    >>> tuple(Dense(8)(numpy.ones((2, 4, 3))).shape)
    (2, 4, 8)
    """

    def call(self, inputs, training=None):
        shape = tuple(inputs.shape)
        inner = shape[1:-1]
        if not inner or None in inner or not backend.prefers_flat_matmul():
            return super().call(inputs, training=training)
        outputs = super().call(ops.reshape(inputs, (-1, shape[-1])), training=training)
        return ops.reshape(outputs, (-1, *inner, self.units))

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras refuses subclasses, as they may compute something else; this class does not.
        type_check = type_check and type(self) is not Dense
        return super().quantize(mode, type_check=type_check, config=config)

    def save_own_variables(self, store):
        if not self.lora_enabled:
            return super().save_own_variables(store)
        # Keras would save the sum of kernel and factors: rounded anew if quantized, and with
        # factors that come back as two zeros, which have no gradient.
        with self._without_lora():
            super().save_own_variables(store)
        for name in LORA_FACTORS:
            store[name] = getattr(self, name)

    def load_own_variables(self, store):
        if not self.lora_enabled:
            return super().load_own_variables(store)
        first_factor = ops.copy(self.lora_kernel_a)
        super().load_own_variables(store)  # makes both factors 0
        self.lora_kernel_a.assign(first_factor)
        if LORA_FACTORS[0] in store:
            for name in LORA_FACTORS:
                getattr(self, name).assign(store[name])

    @contextlib.contextmanager
    def _without_lora(self):
        self.lora_enabled = False
        try:
            yield
        finally:
            self.lora_enabled = True
