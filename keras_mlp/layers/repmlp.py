"""RepMLP, the layer for convolutional networks that preceded RepMLPNet."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import (
    check_bool,
    check_kernel_sizes,
    check_optional,
    check_pair,
    check_positive_int,
)
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.grouped_conv2d import GroupedConv2D, check_groups
from keras_mlp.layers.grouped_dense import GroupedDense
from keras_mlp.layers.initializers import GroupedOrthogonal
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.locality_injection import (
    batch_norm_affine,
    convolution_matrix,
    merged_convolutions,
)
from keras_mlp.layers.partitions import from_partitions, partition_map, to_partitions
from keras_mlp.layers.torch_defaults import torch_batch_norm, torch_dense
from keras_mlp.typing import Array, Config, Pair, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLP(Composite):
    """A dense layer over partitions of a feature map (Ding et al., arXiv:2105.01883).

    The map is cut into partitions of h x w pixels. If there are several, an MLP over their means
    adds a value to each partition and channel (global perceptron). Then one matrix per group of
    channels, shared by all partitions, maps the pixels and channels of a partition (partition
    perceptron). In the training form, convolutions run in parallel to it (local perceptron);
    `keras_mlp.deploy` folds them and the BatchNorms into the matrices.

    This is the first version of the authors; `RepMLPBlock` is its successor. It replaces a
    convolution with stride 1 in any functional model whose map sizes are known.

    Args:
        filters: number of output channels D.
        partition_size: (h, w) of a partition in pixels, or one number; None for the whole map.
        kernel_sizes: distinct odd sizes of the convolutions; may be empty.
        reduction: ratio of inputs to hidden units in the global perceptron.
        groups: number of groups of channels; must divide C and D.
        deployed: build the deployed form, which has no convolutions or BatchNorms. Its weights
            come from the training form, by `keras_mlp.deploy`.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, D).

    Raises:
        ValueError: an argument is out of range, or does not divide the map or the channels.

    >>> tuple(RepMLP(8, partition_size=2, groups=2)(numpy.ones((2, 4, 6, 4))).shape)
    (2, 4, 6, 8)
    """

    def __init__(
        self,
        filters: int,
        partition_size: Pair | None = None,
        kernel_sizes: int | Sequence[int] = (1, 3),
        reduction: int = 1,
        groups: int = 1,
        deployed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.partition_size = check_optional("partition_size", partition_size, check_pair)
        self.kernel_sizes = check_kernel_sizes(kernel_sizes)
        self.reduction = check_positive_int("reduction", reduction)
        self.groups = check_positive_int("groups", groups)
        self.deployed = check_bool("deployed", deployed)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1)
        check_groups(self.groups, channels, self.filters)
        self.grid, self.partition = partition_map(input_shape, self.partition_size)
        self.has_global = math.prod(self.grid) > 1
        if self.has_global:
            self._build_global(channels)
        self._build_partition(channels)
        self.convolutions: list[GroupedConv2D] = []
        self.convolution_norms: list[keras.layers.BatchNormalization] = []
        if not self.deployed:
            for size in self.kernel_sizes:
                self._build_convolution(size, (None, *self.partition, channels))
        self.built = True

    def _build_global(self, channels: int) -> None:
        if not self.deployed:
            self.pool_norm = torch_batch_norm(self.dtype_policy, "pool_norm")
            self.pool_norm.build((None, *self.grid, channels))
        inputs = channels * math.prod(self.grid)
        hidden = inputs // self.reduction
        if hidden < 1:
            raise ValueError(f"`reduction`={self.reduction} is above the {inputs} inputs.")
        self.fc1 = torch_dense(inputs, hidden, self.dtype_policy, "fc1", "relu")
        self.fc2 = torch_dense(hidden, inputs, self.dtype_policy, "fc2")

    def _build_partition(self, channels: int) -> None:
        pixels = math.prod(self.partition)
        self.fc3 = GroupedDense(
            self.filters // self.groups * pixels,
            use_bias=self.deployed,
            kernel_initializer=GroupedOrthogonal(),
            dtype=self.dtype_policy,
            name="fc3",
        )
        self.fc3.build((None, self.groups, channels // self.groups * pixels))
        if not self.deployed:
            self.fc3_norm = torch_batch_norm(self.dtype_policy, "fc3_norm")
            self.fc3_norm.build((None, self.filters * pixels))

    def _build_convolution(self, size: int, shape: Shape) -> None:
        convolution = GroupedConv2D(
            self.filters, size, self.groups, dtype=self.dtype_policy, name=f"conv{size}"
        )
        convolution.build(shape)
        norm = torch_batch_norm(self.dtype_policy, f"conv{size}_norm")
        norm.build((*shape[:-1], self.filters))
        self.convolutions.append(convolution)
        self.convolution_norms.append(norm)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        x = to_partitions(inputs, self.grid, self.partition)
        if self.has_global:
            x = x + self._global(ops.mean(x, axis=(4, 5)), training)
        outputs = self.fc3(ops.reshape(x, (-1, self.groups, self.fc3.kernel.shape[1])))
        shape = (-1, self.filters, *self.partition)
        if not self.deployed:
            outputs = ops.reshape(outputs, (-1, math.prod(shape[1:])))
            outputs = self.fc3_norm(outputs, training=training)
        outputs = ops.reshape(outputs, shape)
        if self.convolutions:
            outputs = outputs + self._local(x, training)
        outputs = ops.reshape(outputs, (-1, *self.grid, *shape[1:]))
        return from_partitions(outputs, self.grid, self.partition)

    def _global(self, means: Tensor, training: bool | None) -> Tensor:
        """Returns what to add to each partition and channel, from means (B, rows, columns, C)."""
        if not self.deployed:
            means = self.pool_norm(means, training=training)
        # The channel is the slowest axis of the MLP's input, as in the authors' code.
        means = ops.transpose(means, (0, 3, 1, 2))
        added = self.fc2(self.fc1(ops.reshape(means, (-1, math.prod(means.shape[1:])))))
        added = ops.reshape(added, (-1, *means.shape[1:], 1, 1))
        return ops.transpose(added, (0, 2, 3, 1, 4, 5))

    def _local(self, x: Tensor, training: bool | None) -> Tensor:
        maps = ops.transpose(ops.reshape(x, (-1, *x.shape[3:])), (0, 2, 3, 1))
        branches = zip(self.convolutions, self.convolution_norms, strict=True)
        local = sum(norm(each(maps), training=training) for each, norm in branches)
        return ops.transpose(local, (0, 3, 1, 2))

    def deployed_weights(self) -> list[Array]:
        """Returns the weights of the deployed form, in the order of its `set_weights`.

        Returns:
            A list of float32 arrays: kernel and bias of `fc1` and `fc2`, if there are several
            partitions, and of `fc3`.
        """
        if self.deployed:
            return self.get_weights()
        weights = self._folded_global() if self.has_global else []
        return [each.astype("float32") for each in (*weights, *self._folded_partition())]

    def _folded_global(self) -> list[Array]:
        scale, shift = batch_norm_affine(self.pool_norm)
        scale, shift = (np.repeat(each, math.prod(self.grid)) for each in (scale, shift))
        kernel, bias = (np.asarray(each, "float64") for each in self.fc1.get_weights())
        return [kernel * scale[:, None], bias + shift @ kernel, *self.fc2.get_weights()]

    def _folded_partition(self) -> list[Array]:
        groups, inputs, outputs = self.fc3.kernel.shape
        scale, shift = batch_norm_affine(self.fc3_norm)
        kernel = np.asarray(self.fc3.kernel, "float64") * scale.reshape(groups, 1, outputs)
        bias = shift
        if self.convolutions:
            kernels = [each.kernel for each in self.convolutions]
            local, local_bias = merged_convolutions(kernels, self.convolution_norms)
            matrix = convolution_matrix(local, *self.partition)
            kernel = kernel + matrix.reshape(inputs, groups, outputs).transpose(1, 0, 2)
            bias = bias + np.repeat(local_bias, math.prod(self.partition))
        return [kernel, bias.reshape(groups, outputs)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "filters": self.filters,
            "partition_size": self.partition_size,
            "kernel_sizes": self.kernel_sizes,
            "reduction": self.reduction,
            "groups": self.groups,
            "deployed": self.deployed,
        }
