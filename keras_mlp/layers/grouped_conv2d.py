"""A grouped convolution that runs, trains and converts everywhere."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_positive_int
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedConv2D(keras.layers.Layer):
    """A zero-padded grouped convolution with stride 1 and without bias.

    TensorFlow's own grouped convolution has no gradient on some devices and cannot be converted to
    ONNX, so this layer convolves the groups one by one. Initial values follow PyTorch.

    Args:
        filters: number of output channels D, a multiple of `groups`.
        kernel_size: side of the kernel, odd.
        groups: number of groups; must divide C.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, D).

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide C and D.

    >>> tuple(GroupedConv2D(8, kernel_size=3, groups=2)(numpy.ones((2, 5, 6, 4))).shape)
    (2, 5, 6, 8)
    """

    def __init__(self, filters: int, kernel_size: int, groups: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.kernel_size = check_positive_int("kernel_size", kernel_size)
        self.groups = check_positive_int("groups", groups)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1)
        check_groups(self.groups, channels, self.filters)
        inputs = channels // self.groups
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, inputs, self.filters),
            initializer=torch_uniform(self.kernel_size**2 * inputs),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        parts = zip(
            ops.split(inputs, self.groups, axis=-1),
            ops.split(self.kernel, self.groups, axis=-1),
            strict=True,
        )
        outputs = [
            ops.conv(part, kernel, padding="same", data_format="channels_last")
            for part, kernel in parts
        ]
        return ops.concatenate(outputs, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
        }


def check_groups(groups: int, channels: int, filters: int) -> None:
    """Raises ValueError unless `groups` divides the input and output channels."""
    if channels % groups or filters % groups:
        raise ValueError(
            f"`groups`={groups} must divide the {channels} input channels and `filters`={filters}."
        )
