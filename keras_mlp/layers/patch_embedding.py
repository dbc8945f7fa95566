"""Images to tokens: one linear map shared by all patches."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_bool, check_initializer, check_pair, check_positive_int
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.patch_kernel import is_convolution, project_patches
from keras_mlp.typing import Config, Initializer, Pair, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PatchEmbedding(Composite):
    """Cuts images into patches and maps each to a token (Dosovitskiy et al., arXiv:2010.11929).

    A convolution whose stride equals its kernel size. Tokens are in row-major order:
    index = row * w + column.

    Args:
        patch_size: side P of a patch in pixels, or (height, width).
        hidden_dim: number of channels C of a token.
        kernel_initializer: initializer of the convolution's kernel.
        bias_initializer: initializer of its bias.
        flatten: False to keep the grid of tokens.
        use_bias: add the bias.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, H, W, channels).
        patch_size: (height, width) of patches of another size: the kernel is then resized by the
            pseudo-inverse (FlexiViT, arXiv:2212.08013).

    Shapes: (B, H, W, channels) -> (B, S, C) with S = (H / P) * (W / P);
        (B, H / P, W / P, C) without `flatten`.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    >>> tuple(PatchEmbedding(patch_size=4, hidden_dim=16)(numpy.ones((2, 8, 12, 3))).shape)
    (2, 6, 16)
    """

    def __init__(
        self,
        patch_size: Pair,
        hidden_dim: int,
        kernel_initializer: Initializer = "lecun_normal",
        bias_initializer: Initializer = "zeros",
        flatten: bool = True,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.patch_size = check_pair("patch_size", patch_size)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)
        self.flatten = check_bool("flatten", flatten)
        self.projection = keras.layers.Conv2D(
            self.hidden_dim,
            self.patch_size,
            strides=self.patch_size,
            data_format="channels_last",
            use_bias=check_bool("use_bias", use_bias),
            kernel_initializer=check_initializer("kernel_initializer", kernel_initializer),
            bias_initializer=check_initializer("bias_initializer", bias_initializer),
            dtype=self.dtype_policy,
            name="projection",
        )

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 4:
            raise ValueError(f"Images must have shape (B, H, W, channels), got {input_shape}.")
        for side, patch in zip(input_shape[1:3], self.patch_size, strict=True):
            if side is None or side % patch:
                raise ValueError(
                    f"Images of {input_shape[1]} x {input_shape[2]} pixels cannot be cut by "
                    f"`patch_size`={self.patch_size}: each side must be a known multiple of it."
                )
        self.projection.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, patch_size: tuple[int, int] | None = None) -> Tensor:
        if is_convolution(patch_size):
            tokens = self.projection(inputs)
        else:
            tokens = project_patches(self.projection, inputs, patch_size)
        if not self.flatten:
            return tokens
        return ops.reshape(tokens, (-1, tokens.shape[1] * tokens.shape[2], self.hidden_dim))

    def compute_output_spec(
        self, inputs: Tensor, patch_size: tuple[int, int] | None = None
    ) -> keras.KerasTensor:
        shape = self._output_shape(inputs.shape, patch_size or self.patch_size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._output_shape(input_shape, self.patch_size)

    def _output_shape(self, input_shape: Shape, patch_size: tuple[int, int]) -> Shape:
        height, width = known_axis(input_shape, 1), known_axis(input_shape, 2)
        grid = (height // patch_size[0], width // patch_size[1])
        tokens = (grid[0] * grid[1],) if self.flatten else grid
        return (input_shape[0], *tokens, self.hidden_dim)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "hidden_dim": self.hidden_dim,
            "kernel_initializer": keras.initializers.serialize(self.projection.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.projection.bias_initializer),
            "flatten": self.flatten,
            "use_bias": self.projection.use_bias,
        }
