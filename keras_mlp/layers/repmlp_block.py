"""The block of RepMLPNet: global, channel and local perceptron, and the deployed form."""

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
from keras_mlp.layers.depthwise_conv2d import DepthwiseConv2D
from keras_mlp.layers.grouped_dense import GroupedDense
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.locality_injection import (
    batch_norm_affine,
    convolution_matrix,
    merged_convolutions,
)
from keras_mlp.layers.partitions import from_partitions, partition_map, to_partitions
from keras_mlp.layers.torch_defaults import torch_batch_norm, torch_dense
from keras_mlp.typing import Array, Config, Pair, Shape, Tensor


def check_block(
    input_shape: Shape,
    num_sharesets: int,
    partition_size: tuple[int, int] | None,
    reduction: int,
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Like `partition_map`, but also checks the channels of a `RepMLPBlock`."""
    channels = known_axis(input_shape, -1)
    if channels % num_sharesets:
        raise ValueError(
            f"`num_sharesets`={num_sharesets} does not divide the {channels} channels."
        )
    if channels < reduction:
        raise ValueError(f"`reduction`={reduction} is above the {channels} channels.")
    return partition_map(input_shape, partition_size)


@keras.saving.register_keras_serializable("keras_mlp")
class GlobalPerceptron(Composite):
    """A gate per channel, computed from the mean over the map, as in squeeze-and-excitation.

    Args:
        hidden_dim: number of hidden units.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, 1, 1, C), in (0, 1).

    >>> tuple(GlobalPerceptron(2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 1, 1, 8)
    """

    def __init__(self, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1)
        self.fc1 = torch_dense(channels, self.hidden_dim, self.dtype_policy, "fc1", "relu")
        self.fc2 = torch_dense(self.hidden_dim, channels, self.dtype_policy, "fc2", "sigmoid")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return self.fc2(self.fc1(ops.mean(inputs, axis=(1, 2), keepdims=True)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 1, 1, input_shape[-1])

    def get_config(self) -> Config:
        return {**super().get_config(), "hidden_dim": self.hidden_dim}


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPBlock(Composite):
    """Mixes the pixels of a map by matrices into which convolutions fold (arXiv:2112.11081).

    The map is cut into partitions of h x w pixels. Channel c uses the h*w x h*w matrix with index
    c modulo `num_sharesets` (channel perceptron). In the training form, depthwise convolutions run
    in parallel to it (local perceptron); `keras_mlp.deploy` folds them and the BatchNorms into the
    matrices. The sum is multiplied by a gate per channel (global perceptron).

    A map of another size than the layer was built for has more or fewer partitions; without
    partitions the matrices are resized in the graph, as by `TokenDense`.

    Args:
        partition_size: (h, w) of a partition in pixels, or one number; None for the whole map.
        num_sharesets: number of matrices S; must divide C.
        kernel_sizes: distinct odd sizes of the convolutions; may be empty.
        reduction: ratio of channels to hidden units in the global perceptron.
        official_reassembly: reassemble several partitions as the authors' code does, which returns
            the results of a sample to partitions and channel groups in a different order from the
            one they were taken in. False to return every result to its place. Makes no difference
            with a single partition, as in all published models, or with `num_sharesets` = C.
        deployed: build the deployed form, which has a bias in place of convolutions and
            BatchNorms. Its weights come from the training form, by `keras_mlp.deploy`.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: an argument is out of range, or does not divide the map or the channels.

    >>> tuple(RepMLPBlock(num_sharesets=2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(
        self,
        partition_size: Pair | None = None,
        num_sharesets: int = 1,
        kernel_sizes: int | Sequence[int] = (1, 3),
        reduction: int = 4,
        official_reassembly: bool = True,
        deployed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.partition_size = check_optional("partition_size", partition_size, check_pair)
        self.num_sharesets = check_positive_int("num_sharesets", num_sharesets)
        self.kernel_sizes = check_kernel_sizes(kernel_sizes)
        self.reduction = check_positive_int("reduction", reduction)
        self.official_reassembly = check_bool("official_reassembly", official_reassembly)
        self.deployed = check_bool("deployed", deployed)

    def build(self, input_shape: Shape) -> None:
        channels, share = known_axis(input_shape, -1), self.num_sharesets
        self.grid, self.partition = check_block(
            input_shape, share, self.partition_size, self.reduction
        )
        height, width = self.partition
        self.global_perceptron = GlobalPerceptron(
            channels // self.reduction, dtype=self.dtype_policy, name="global_perceptron"
        )
        self.global_perceptron.build(input_shape)
        self.fc3 = GroupedDense(
            height * width, use_bias=self.deployed, dtype=self.dtype_policy, name="fc3"
        )
        self.fc3.build((None, share, height * width))
        # Two flat lists: Keras does not save layers that are in tuples inside a list.
        self.convolutions: list[keras.layers.DepthwiseConv2D] = []
        self.convolution_norms: list[keras.layers.BatchNormalization] = []
        if not self.deployed:
            self.fc3_norm = torch_batch_norm(self.dtype_policy, "fc3_norm", axis=1)
            self.fc3_norm.build((None, share, height * width))
            for size in self.kernel_sizes:
                self._build_convolution(size, (None, height, width, share))
        self.built = True

    def _build_convolution(self, size: int, shape: Shape) -> None:
        convolution = DepthwiseConv2D(
            size,
            padding="same",
            use_bias=False,
            data_format="channels_last",
            depthwise_initializer=torch_uniform(size * size),
            dtype=self.dtype_policy,
            name=f"conv{size}",
        )
        convolution.build(shape)
        norm = torch_batch_norm(self.dtype_policy, f"conv{size}_norm")
        norm.build(shape)
        self.convolutions.append(convolution)
        self.convolution_norms.append(norm)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        grid, partition = partition_map(inputs.shape, self.partition_size)
        rows = to_partitions(inputs, grid, partition)
        rows = ops.reshape(rows, (-1, self.num_sharesets, partition[0] * partition[1]))
        mixed = self.fc3(
            rows, grids=None if partition == self.partition else (self.partition, partition)
        )
        if not self.deployed:
            mixed = self.fc3_norm(mixed, training=training)
            mixed = self._add_local(mixed, rows, partition, training)
        outputs = self._reorder(mixed, inputs, grid, partition)
        return from_partitions(outputs, grid, partition) * self.global_perceptron(inputs)

    def _add_local(
        self, mixed: Tensor, rows: Tensor, partition: tuple[int, int], training: bool | None
    ) -> Tensor:
        if not self.convolutions:
            return mixed
        height, width = partition
        maps = ops.reshape(rows, (-1, self.num_sharesets, height, width))
        maps = ops.transpose(maps, (0, 2, 3, 1))
        branches = zip(self.convolutions, self.convolution_norms, strict=True)
        local = sum(norm(each(maps), training=training) for each, norm in branches)
        local = ops.transpose(local, (0, 3, 1, 2))
        return mixed + ops.reshape(local, (-1, self.num_sharesets, height * width))

    def _reorder(
        self, rows: Tensor, inputs: Tensor, grid: tuple[int, int], partition: tuple[int, int]
    ) -> Tensor:
        """Rows by sample, partition and channel group -> (B, rows, columns, C, h, w)."""
        share, pixels = self.num_sharesets, partition[0] * partition[1]
        groups, partitions = inputs.shape[-1] // share, grid[0] * grid[1]
        if self.official_reassembly and groups > 1 and partitions > 1:
            # Read as if the channel group came before the partition, as in the authors' code.
            rows = ops.reshape(rows, (-1, groups, partitions, share * pixels))
            rows = ops.transpose(rows, (0, 2, 1, 3))
        return ops.reshape(rows, (-1, *grid, inputs.shape[-1], *partition))

    def deployed_weights(self) -> list[Array]:
        """Returns the weights of the deployed form, in the order of its `set_weights`.

        Returns:
            A list of float32 arrays: those of the global perceptron, then kernel and bias of `fc3`.
        """
        if self.deployed:
            return self.get_weights()
        (height, width), share = self.partition, self.num_sharesets
        scale, shift = batch_norm_affine(self.fc3_norm)
        kernel = np.asarray(self.fc3.kernel, "float64") * scale[:, None, None]
        bias = np.repeat(shift[:, None], height * width, axis=1)
        if self.convolutions:
            # Depthwise kernels (k, k, S, 1) equal those of a convolution from 1 to S channels.
            kernels = [np.swapaxes(each.kernel, 2, 3) for each in self.convolutions]
            local, local_bias = merged_convolutions(kernels, self.convolution_norms)
            matrix = convolution_matrix(local, height, width)
            matrix = matrix.reshape(height * width, share, height * width)
            kernel = kernel + matrix.transpose(1, 0, 2)
            bias = bias + local_bias[:, None]
        fc3 = [kernel.astype("float32"), bias.astype("float32")]
        return self.global_perceptron.get_weights() + fc3

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "partition_size": self.partition_size,
            "num_sharesets": self.num_sharesets,
            "kernel_sizes": self.kernel_sizes,
            "reduction": self.reduction,
            "official_reassembly": self.official_reassembly,
            "deployed": self.deployed,
        }
