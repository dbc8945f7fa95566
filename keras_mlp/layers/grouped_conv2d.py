"""A convolution with groups that runs, trains and converts everywhere."""

import keras
from keras import ops

from keras_mlp.arguments import check_positive_int
from keras_mlp.layers.initializers import torch_uniform


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedConv2D(keras.layers.Layer):
    """A zero-padded convolution of stride 1, without bias, one per group of channels.

    TensorFlow's own convolution with groups has no gradient on some devices and no form in ONNX,
    so the groups are convolved one by one here. The initial values are PyTorch's.

    Args:
        filters: number of output channels D, a multiple of `groups`.
        kernel_size: odd side of the kernel.
        groups: number of groups; divides the channels.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, D).

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide the channels.

    >>> tuple(GroupedConv2D(8, kernel_size=3, groups=2)(numpy.ones((2, 5, 6, 4))).shape)
    (2, 5, 6, 8)
    """

    def __init__(self, filters, kernel_size, groups=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.kernel_size = check_positive_int("kernel_size", kernel_size)
        self.groups = check_positive_int("groups", groups)

    def build(self, input_shape):
        channels = input_shape[-1]
        check_groups(self.groups, channels, self.filters)
        inputs = channels // self.groups
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, inputs, self.filters),
            initializer=torch_uniform(self.kernel_size**2 * inputs),
        )
        self.built = True

    def call(self, inputs):
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

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
        }


def check_groups(groups, channels, filters):
    """Raises ValueError unless `groups` divides the channels of inputs and outputs."""
    if channels % groups or filters % groups:
        raise ValueError(
            f"`groups`={groups} must divide the {channels} input channels and `filters`={filters}."
        )
