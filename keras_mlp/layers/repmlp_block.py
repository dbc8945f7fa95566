"""The block of RepMLPNet: global, channel and local perceptron, and its deployed form."""

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import check_bool, check_kernel_sizes, check_pair, check_positive_int
from keras_mlp.layers.depthwise_conv2d import DepthwiseConv2D
from keras_mlp.layers.grouped_dense import GroupedDense
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.locality_injection import (
    batch_norm_affine,
    convolution_matrix,
    merged_convolutions,
)
from keras_mlp.layers.partitions import from_partitions, partition_map, to_partitions
from keras_mlp.layers.torch_defaults import torch_batch_norm, torch_dense


def check_block(input_shape, num_sharesets, partition_size, reduction):
    """As `partition_map`; also checks what a `RepMLPBlock` asks of the channels."""
    channels = input_shape[-1]
    if channels % num_sharesets:
        raise ValueError(
            f"`num_sharesets`={num_sharesets} does not divide the {channels} channels."
        )
    if channels < reduction:
        raise ValueError(f"`reduction`={reduction} is above the {channels} channels.")
    return partition_map(input_shape, partition_size)


@keras.saving.register_keras_serializable("keras_mlp")
class GlobalPerceptron(keras.layers.Layer):
    """A gate per channel from the mean over the map, as in squeeze-and-excitation.

    Args:
        hidden_dim: number of hidden units.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, 1, 1, C), in (0, 1).

    >>> tuple(GlobalPerceptron(2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 1, 1, 8)
    """

    def __init__(self, hidden_dim, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = check_positive_int("hidden_dim", hidden_dim)

    def build(self, input_shape):
        channels = input_shape[-1]
        self.fc1 = torch_dense(channels, self.hidden_dim, self.dtype_policy, "fc1", "relu")
        self.fc2 = torch_dense(self.hidden_dim, channels, self.dtype_policy, "fc2", "sigmoid")
        self.built = True

    def call(self, inputs):
        return self.fc2(self.fc1(ops.mean(inputs, axis=(1, 2), keepdims=True)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, 1, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPBlock(keras.layers.Layer):
    """Mixes the pixels of a map by a matrix that carries a convolution inside (arXiv:2112.11081).

    The map is cut into partitions of h x w pixels. Channel c takes the h*w x h*w matrix number
    c modulo `num_sharesets` (channel perceptron). While training, depthwise convolutions run beside
    it (local perceptron); `keras_mlp.deploy` adds them, and all BatchNorms, to the matrix. The sum
    is multiplied by a gate per channel (global perceptron).

    Args:
        partition_size: (h, w) or one number; None for the whole map.
        num_sharesets: number of matrices S; divides the channels.
        kernel_sizes: of the convolutions, odd; may be empty.
        reduction: channels over hidden units of the global perceptron.
        official_reassembly: with more than one partition, put the results together as the
            authors' code does, which deals the results of a sample out to partitions and channel
            groups in another order than they came from. False: every result returns to its
            place. No difference with one partition, as in all published models, or with as many
            sharesets as channels.
        deployed: the form that has a bias in place of convolutions and BatchNorms. Made from the
            weights of the other form by `keras_mlp.deploy`.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: an argument is out of range, or does not divide the map or its channels.

    >>> tuple(RepMLPBlock(num_sharesets=2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(
        self,
        partition_size=None,
        num_sharesets=1,
        kernel_sizes=(1, 3),
        reduction=4,
        official_reassembly=True,
        deployed=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        is_given = partition_size is not None
        self.partition_size = check_pair("partition_size", partition_size) if is_given else None
        self.num_sharesets = check_positive_int("num_sharesets", num_sharesets)
        self.kernel_sizes = check_kernel_sizes(kernel_sizes)
        self.reduction = check_positive_int("reduction", reduction)
        self.official_reassembly = check_bool("official_reassembly", official_reassembly)
        self.deployed = check_bool("deployed", deployed)

    def build(self, input_shape):
        channels, share = input_shape[-1], self.num_sharesets
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
        # Two flat lists: Keras does not save layers in tuples inside a list.
        self.convolutions, self.convolution_norms = [], []
        if not self.deployed:
            self.fc3_norm = torch_batch_norm(self.dtype_policy, "fc3_norm", axis=1)
            self.fc3_norm.build((None, share, height * width))
            for size in self.kernel_sizes:
                self._build_convolution(size, (None, height, width, share))
        self.built = True

    def _build_convolution(self, size, shape):
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

    def call(self, inputs, training=None):
        rows = to_partitions(inputs, self.grid, self.partition)
        rows = ops.reshape(rows, (-1, self.num_sharesets, self.partition[0] * self.partition[1]))
        mixed = self.fc3(rows)
        if not self.deployed:
            mixed = self.fc3_norm(mixed, training=training)
            mixed = self._add_local(mixed, rows, training)
        outputs = from_partitions(self._reorder(mixed, inputs), self.grid, self.partition)
        return outputs * self.global_perceptron(inputs)

    def _add_local(self, mixed, rows, training):
        if not self.convolutions:
            return mixed
        height, width = self.partition
        maps = ops.reshape(rows, (-1, self.num_sharesets, height, width))
        maps = ops.transpose(maps, (0, 2, 3, 1))
        branches = zip(self.convolutions, self.convolution_norms, strict=True)
        local = sum(norm(each(maps), training=training) for each, norm in branches)
        local = ops.transpose(local, (0, 3, 1, 2))
        return mixed + ops.reshape(local, (-1, self.num_sharesets, height * width))

    def _reorder(self, rows, inputs):
        """The rows, in order of sample, partition and channel group, as the grid takes them."""
        share, pixels = self.num_sharesets, self.partition[0] * self.partition[1]
        groups, partitions = inputs.shape[-1] // share, self.grid[0] * self.grid[1]
        if self.official_reassembly and groups > 1 and partitions > 1:
            # Read as if the channel group came before the partition.
            rows = ops.reshape(rows, (-1, groups, partitions, share * pixels))
            rows = ops.transpose(rows, (0, 2, 1, 3))
        return ops.reshape(rows, (-1, *self.grid, inputs.shape[-1], *self.partition))

    def deployed_weights(self):
        """The weights of this block's deployed form, as its `set_weights` takes them.

        Returns:
            A list of float32 arrays: the global perceptron's, and kernel and bias of `fc3`.
        """
        if self.deployed:
            return self.get_weights()
        (height, width), share = self.partition, self.num_sharesets
        scale, shift = batch_norm_affine(self.fc3_norm)
        kernel = np.asarray(self.fc3.kernel, "float64") * scale[:, None, None]
        bias = np.repeat(shift[:, None], height * width, axis=1)
        if self.convolutions:
            # Depthwise kernels (k, k, S, 1) are those of a convolution from 1 to S channels.
            kernels = [np.swapaxes(each.kernel, 2, 3) for each in self.convolutions]
            local, local_bias = merged_convolutions(kernels, self.convolution_norms)
            matrix = convolution_matrix(local, height, width)
            matrix = matrix.reshape(height * width, share, height * width)
            kernel = kernel + matrix.transpose(1, 0, 2)
            bias = bias + local_bias[:, None]
        fc3 = [kernel.astype("float32"), bias.astype("float32")]
        return self.global_perceptron.get_weights() + fc3

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "partition_size": self.partition_size,
            "num_sharesets": self.num_sharesets,
            "kernel_sizes": self.kernel_sizes,
            "reduction": self.reduction,
            "official_reassembly": self.official_reassembly,
            "deployed": self.deployed,
        }
