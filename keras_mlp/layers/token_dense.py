"""A dense layer over tokens, which can also be called with another grid of tokens."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_choice, check_count
from keras_mlp.layers import backend
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.token_grid import HIDDEN, IN, OUT, Grids, fit_tokens
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class TokenDense(Dense):
    """`Dense` whose inputs or outputs are tokens.

    Called with `grids`, it computes with a kernel that is resized in the graph, W' = U W U+, as
    `keras_mlp.with_image_shape` would store it (`keras_mlp.layers.token_grid` says why). Gradients
    reach the stored kernel.

    Args:
        units: number of outputs D.
        input_role: what the inputs are: "in" for tokens, "hidden" for anything else.
        output_role: what the outputs are: "out" for tokens, "hidden" for anything else.
        front_tokens: number of tokens in front of the grid, such as a class token.
        **kwargs: further arguments of `Dense`.

    Call arguments:
        inputs: (B, ..., S).
        grids: (grid of the stored kernel, grid of the tokens), each (h, w); None for the grid of
            the stored kernel.

    Shapes: (B, ..., S) -> (B, ..., D). With `grids`, tokens are those of the new grid. An axis may
        also have several entries per token, which are then mixed with them.

    Raises:
        ValueError: an argument is out of range; or, in a call, the inputs have another size, or the
            kernel is quantized to anything but int8 and needs to be resized.

    >>> layer = TokenDense(4)
    >>> tuple(layer(numpy.ones((2, 8, 4))).shape)
    (2, 8, 4)
    >>> tuple(layer(numpy.ones((2, 8, 6)), grids=((2, 2), (2, 3))).shape)
    (2, 8, 6)
    """

    def __init__(
        self,
        units: int,
        input_role: str = IN,
        output_role: str = OUT,
        front_tokens: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.input_role = check_choice("input_role", input_role, (IN, HIDDEN))
        self.output_role = check_choice("output_role", output_role, (OUT, HIDDEN))
        self.front_tokens = check_count("front_tokens", front_tokens)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        # Keras' own check knows one size.
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> Tensor:
        self._check(inputs, grids)
        if grids is None:
            return super().call(inputs, training=training)
        return self._call_resized(inputs, self.kernel, grids)

    def quantized_call(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> Tensor:
        self._check(inputs, grids)
        if grids is None:
            return super().quantized_call(inputs, training=training)
        return self._call_resized(inputs, self._float_kernel(), grids)

    def compute_output_spec(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> keras.KerasTensor:
        units = self._size(self.output_role, self.units, grids)
        return keras.KerasTensor((*inputs.shape[:-1], units), dtype=self.compute_dtype)

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        # Without `grids` this is exactly a dense layer.
        return super().quantize(mode, type_check=False, config=config)

    def get_config(self) -> Config:
        own = {name: getattr(self, name) for name in ("input_role", "output_role", "front_tokens")}
        return {**super().get_config(), **own}

    def _size(self, role: str, stored: int, grids: Grids | None) -> int:
        """The number of inputs or outputs, from that of the stored kernel."""
        if grids is None or role == HIDDEN:
            return stored
        (height, width), (new_height, new_width) = grids
        per_token = (stored - self.front_tokens) // (height * width)
        return self.front_tokens + new_height * new_width * per_token

    def _check(self, inputs: Tensor, grids: Grids | None) -> None:
        expected = self._size(self.input_role, self.input_dim, grids)
        size = known_axis(inputs.shape, -1)
        if size != expected:
            grid = "" if grids is None else f" for `grids`={grids}"
            raise ValueError(f"{self.name} expected {expected} inputs{grid}, got {size}.")

    def _call_resized(self, inputs: Tensor, kernel: Tensor, grids: Grids) -> Tensor:
        roles = (self.input_role, self.output_role)
        kernel = fit_tokens(kernel, roles, grids, self.front_tokens)
        shape = inputs.shape
        if len(shape) > 2 and backend.prefers_flat_matmul():
            inputs = ops.reshape(inputs, (-1, shape[-1]))
        outputs = ops.matmul(inputs, kernel)
        if self.bias is not None:
            outputs = outputs + fit_tokens(self.bias, roles[1:], grids, self.front_tokens)
        if self.activation is not None:
            outputs = self.activation(outputs)
        if len(outputs.shape) != len(shape):
            outputs = ops.reshape(outputs, (-1, *shape[1:-1], outputs.shape[-1]))
        return outputs

    def _float_kernel(self) -> Tensor:
        """The quantized kernel as floats, with LoRA's factors."""
        check_resizable(self)
        # Keras' `kernel` has no scale here, and adds the factors without it.
        kernel = ops.cast(self._kernel, self.compute_dtype) / self.kernel_scale
        if self.lora_enabled:
            update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
            kernel = kernel + (self.lora_alpha / self.lora_rank) * update
        return ops.cast(kernel, self.compute_dtype)


def check_resizable(layer: Dense) -> None:
    """Raises ValueError if the kernel is quantized in a way that cannot be resized in a call."""
    if layer.quantization_mode not in (None, "int8"):
        raise ValueError(
            f"{layer.path} is quantized to {layer.quantization_mode}: only float and int8 kernels "
            "can be resized in a call. Use `keras_mlp.with_image_shape` before quantization."
        )
