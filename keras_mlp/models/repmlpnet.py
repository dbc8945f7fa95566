"""RepMLPNet (Ding et al., 2021, arXiv:2112.11081).

Each unit applies a RepMLP block, then a channel MLP, both after a BatchNorm and with a residual
connection. Units come in stages. `keras_mlp.deploy` makes the form for inference, in which the
blocks have no convolutions.
"""

import math
import re
from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_kernel_sizes, check_pair, check_positive_int, check_stages
from keras_mlp.layers import ConvNormReLU, FFNBlock, RepMLPBlock
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.repmlp_block import check_block
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.token_grid import IN, OUT, Grids
from keras_mlp.layers.torch_defaults import torch_batch_norm
from keras_mlp.models.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VisionModel,
    feature_head,
    image_input,
    size,
)
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted
from keras_mlp.models.constructor import Arguments, checked, optional
from keras_mlp.models.token_mixing import OTHER, TokenMixing
from keras_mlp.typing import (
    Array,
    Config,
    DTypePolicy,
    ImageShape,
    Pair,
    PerChannel,
    Shape,
    Tensor,
)


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPNetUnit(Block):
    """A RepMLP block, then a channel MLP.

    Args:
        channel_mlp_dim: hidden width of the channel MLP.
        partition_size, num_sharesets, kernel_sizes, reduction, official_reassembly, deployed: as
            for `RepMLPBlock`.
        dropout_rate, drop_path_rate, **kwargs: as for `Block`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: an argument is out of range, or does not divide the map or its channels.

    >>> tuple(RepMLPNetUnit(32, num_sharesets=2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(
        self,
        channel_mlp_dim: int,
        partition_size: Pair | None = None,
        num_sharesets: int = 1,
        kernel_sizes: tuple[int, ...] = (1, 3),
        reduction: int = 4,
        official_reassembly: bool = True,
        deployed: bool = False,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            locals(),
            partition_size=optional(check_pair),
            num_sharesets=check_positive_int,
            kernel_sizes=lambda name, value: check_kernel_sizes(value),
        )
        self.norm1 = torch_batch_norm(self.dtype_policy, "norm1")
        self.repmlp = RepMLPBlock(
            partition_size,
            num_sharesets,
            kernel_sizes,
            reduction,
            official_reassembly,
            deployed,
            dtype=self.dtype_policy,
            name="repmlp",
        )
        self.drop_path1 = self.new_drop_path()
        self.norm2 = torch_batch_norm(self.dtype_policy, "norm2")
        self.ffn = FFNBlock(channel_mlp_dim, dropout_rate, dtype=self.dtype_policy, name="ffn")
        self.drop_path2 = self.new_drop_path()

    def build(self, input_shape: Shape) -> None:
        for layer in (self.norm1, self.repmlp, self.norm2, self.ffn):
            layer.build(input_shape)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        return self.repmlp(self.norm1(x, training=training), training=training)

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.ffn(self.norm2(x, training=training), training=training)

    def deployed_weights(self) -> list[Array]:
        """The weights of this unit's deployed form, as its `set_weights` takes them."""
        return [
            *self.norm1.get_weights(),
            *self.repmlp.deployed_weights(),
            *self.norm2.get_weights(),
            *self.ffn.get_weights(),
        ]


_T = ((64, 128, 256, 512), (1, 4, 16, 128))
_B = ((96, 192, 384, 768), (1, 4, 32, 128))
_D = ((80, 160, 320, 640), (1, 4, 16, 128))
_L = ((96, 192, 384, 768), (1, 4, 32, 256))


def _size(
    image_side: int,
    num_layers: tuple[int, ...],
    hidden_dim: tuple[int, ...],
    num_sharesets: tuple[int, ...],
    patch_size: int = 4,
) -> Config:
    return size(image_side, patch_size, num_layers, hidden_dim, num_sharesets=num_sharesets)


def _pointwise(name: str) -> Converted:
    """The kernel (in, out) of a dense layer from that of a 1 x 1 convolution."""
    return Converted(
        name,
        lambda tensor: tensor[:, :, 0, 0].T,
        invert=lambda kernel, model: kernel.T[:, :, None, None],
    )


def _depthwise(name: str) -> Converted:
    return Converted(
        name,
        lambda tensor: tensor.transpose(2, 3, 0, 1),
        invert=lambda kernel, model: kernel.transpose(2, 3, 0, 1),
    )


def _fc3_kernel(tensor: Array, shape: tuple[int, ...]) -> Array:
    """A 1 x 1 convolution with one group per shareset, (S * out, in, 1, 1), as (S, in, out)."""
    groups, inputs, outputs = shape
    return tensor.reshape(groups, outputs, inputs).transpose(0, 2, 1)


def _fc3_tensor(kernel: Array, model: VisionModel) -> Array:
    return kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1], 1, 1)


_UNIT, _REPMLP = "stage_{stage}_block_{i}", "stages.{stage}.{i}.repmlp_block"
_OFFICIAL: dict[str, str | Converted] = {
    "stem/convolution": "conv_embedding.conv",
    "stem/norm": "conv_embedding.bn",
    f"{_UNIT}/norm1": "stages.{stage}.{i}.prebn1",
    f"{_UNIT}/repmlp/global_perceptron/fc{{n}}": _pointwise(f"{_REPMLP}.gp.fc{{n}}"),
    f"{_UNIT}/repmlp/fc3/kernel": Converted(
        f"{_REPMLP}.fc3.weight", _fc3_kernel, takes_shape=True, invert=_fc3_tensor
    ),
    f"{_UNIT}/repmlp/fc3/bias": Converted(
        f"{_REPMLP}.fc3.bias",
        lambda tensor, shape: tensor.reshape(shape),
        takes_shape=True,
        invert=lambda bias, model: bias.reshape(-1),
    ),
    f"{_UNIT}/repmlp/fc3_norm": f"{_REPMLP}.fc3_bn",
    f"{_UNIT}/repmlp/conv{{size}}": _depthwise(f"{_REPMLP}.repconv{{size}}.conv"),
    f"{_UNIT}/repmlp/conv{{size}}_norm": f"{_REPMLP}.repconv{{size}}.bn",
    f"{_UNIT}/norm2": "stages.{stage}.{i}.prebn2",
    f"{_UNIT}/ffn/fc{{n}}": _pointwise("stages.{stage}.{i}.ffn_block.ffn_fc{n}.conv"),
    f"{_UNIT}/ffn/fc{{n}}_norm": "stages.{stage}.{i}.ffn_block.ffn_fc{n}.bn",
    "downsample_{stage}/convolution": "embeds.{stage}.conv",
    "downsample_{stage}/norm": "embeds.{stage}.bn",
    "norm": "head_norm",
    "head": "head",
}


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPNet(VisionModel):
    """RepMLPNet (Ding et al., arXiv:2112.11081), as a functional Keras model.

    A built model takes one image size. The map of the first stage has H / P x W / P pixels; every
    further stage halves both.

    Train it as it is; for inference, `keras_mlp.deploy(model)` returns the same function without
    the convolutions inside the blocks. BatchNorm momentum is 0.9 and epsilon 1e-5 throughout.

    Args:
        image_shape: (H, W, channels); H and W multiples of P times 2 ** (stages - 1).
        num_layers: number of units of each stage, as a tuple.
        hidden_dim: channels of each stage, as a tuple.
        num_sharesets: matrices per block of each stage, as a tuple; each divides the channels.
        partition_size: of each stage, numbers or pairs (h, w), as a tuple; None for whole maps, as
            in all published models.
        official_reassembly: as for `RepMLPBlock`; no difference for whole maps.
        kernel_sizes: of the convolutions inside the blocks, odd.
        reduction: channels over hidden units of the global perceptrons.
        mlp_ratio: hidden width of the channel MLPs over the channels, an integer.
        deployed: the form for inference; see `keras_mlp.deploy`.
        All others: see `VisionModel`. The paper's `dropout_rate` and `drop_path_rate` are 0.

    Raises:
        ValueError: an argument is out of range, or does not divide what it has to.

    >>> model = RepMLPNet.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    default_name = "repmlpnet"

    variants = {
        "T224": _size(224, (2, 2, 6, 2), *_T),
        "B224": _size(224, (2, 2, 12, 2), *_B),
        "T256": _size(256, (2, 2, 6, 2), *_T),
        "B256": _size(256, (2, 2, 12, 2), *_B),
        "D256": _size(256, (2, 2, 18, 2), *_D),
        "L256": _size(256, (2, 2, 18, 2), *_L),
        "nano/4": _size(32, (4, 6), (64, 128), (4, 16)),
        "pico/4": _size(28, (6,), (64,), (4,)),
        "pico/2": _size(8, (2, 4), (32, 64), (4, 16), patch_size=2),
    }

    zero_gradient = (
        ("norm2/beta", "ffn/fc2_norm/beta"),
        "adds one number to a whole channel, which BatchNorm subtracts in training",
    )

    token_mixing = TokenMixing(
        layers=("fc3",),
        axes={"repmlp/fc3/kernel": (OTHER, IN, OUT), "repmlp/fc3/bias": (OTHER, OUT)},
        maps=lambda block: ops.reshape(
            ops.transpose(block.repmlp.fc3.kernel, (0, 2, 1)), (-1, *block.repmlp.partition)
        ),
        parts={
            "repmlp": "token_mixing",
            "ffn": "channel_mixing",
            "global_perceptron": "other",
        },
    )

    input_kernel = "stem/convolution/kernel"
    input_offset = ("stem/norm/moving_mean", -1)

    checkpoint_layouts = {
        "official": CheckpointLayout(_OFFICIAL, torch=True, ignored=("*.num_batches_tracked",))
    }

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 4,
        num_layers: tuple[int, ...] = (2, 2, 6, 2),
        hidden_dim: tuple[int, ...] = (64, 128, 256, 512),
        num_sharesets: tuple[int, ...] = (1, 4, 16, 128),
        partition_size: tuple[Pair, ...] | None = None,
        official_reassembly: bool = True,
        kernel_sizes: tuple[int, ...] = (1, 3),
        reduction: int = 4,
        mlp_ratio: int = 4,
        num_classes: int = 1000,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        deployed: bool = False,
        include_top: bool = True,
        pooling: str | None = "avg",
        classifier_activation: str | None = None,
        include_preprocessing: bool = True,
        pixel_mean: PerChannel = IMAGENET_MEAN,
        pixel_std: PerChannel = IMAGENET_STD,
        remat: bool = False,
        name: str | None = None,
        dtype: DTypePolicy = None,
    ) -> None:
        arguments = checked(
            locals(),
            num_layers=check_stages,
            hidden_dim=check_stages,
            mlp_ratio=check_positive_int,
            kernel_sizes=lambda name, value: check_kernel_sizes(value),
        )
        stages, rate = _stages(arguments), arguments.drop_path_rate
        pixels, x = image_input(arguments)
        rates = iter(linear_ramp(rate, sum(arguments.num_layers)))
        for stage, own in enumerate(stages):
            side, embedding = (2, f"downsample_{stage - 1}") if stage else (patch_size, "stem")
            width = own.pop("hidden_dim")
            x = ConvNormReLU(width, side, dtype=arguments.dtype, name=embedding)(x)
            for i in range(own.pop("num_layers")):
                x = RepMLPNetUnit(
                    **arguments.of(RepMLPNetUnit, drop_path_rate=next(rates), **own),
                    name=f"stage_{stage}_block_{i}",
                )(x)
        x = torch_batch_norm(arguments.dtype, "norm")(x)
        initializer = torch_uniform(x.shape[-1])
        outputs = feature_head(
            x,
            arguments,
            kernel_initializer=initializer,
            bias_initializer=initializer.clone(),
        )
        super().__init__(pixels, outputs, arguments)

    def token_grid(self, weight_path: str) -> tuple[int, int]:
        stage = _STAGE.match(weight_path)
        if stage is None:
            return self.grid
        if self.partition_size is not None:
            return check_pair("partition_size", self.partition_size[int(stage[1])])
        height, width = (side // 2 ** int(stage[1]) for side in self.grid)
        return height, width

    @property
    def grid_step(self) -> tuple[int, int]:
        sizes = self.partition_size or (1,) * len(self.num_layers)
        sides = [check_pair("partition_size", size) for size in sizes]
        rows, columns = zip(*sides, strict=True)
        return _common_step(rows), _common_step(columns)

    def arguments_at(self, image_shape: ImageShape) -> Config:
        if self.partition_size and self.official_reassembly:
            raise ValueError(
                f"`model` {self.name} has partitions that `official_reassembly`=True puts together "
                "in an order that depends on their number: its image shape cannot be changed."
            )
        return {}

    def arguments_of_copies(self, copies: int) -> Config:
        if self.partition_size is not None:
            return {}
        stages = range(len(self.num_layers))
        sizes = tuple(self.token_grid(f"stage_{stage}_block_0/") for stage in stages)
        return {"partition_size": sizes, "official_reassembly": False}


_STAGE = re.compile(r"stage_(\d+)_block_")


def _common_step(sizes: tuple[int, ...]) -> int:
    """Multiples of it can be halved after every stage but the last, and then be partitioned."""
    return math.lcm(*(size * 2**stage for stage, size in enumerate(sizes)))


def _stages(arguments: Arguments) -> list[Config]:
    """The arguments that differ from stage to stage, checked, a dict per stage."""
    num_layers = arguments.num_layers
    count = len(num_layers)
    widths = check_stages("hidden_dim", arguments.hidden_dim, count=count)
    sharesets = check_stages("num_sharesets", arguments.num_sharesets, count=count)
    partitions = arguments.partition_size
    if partitions is None:
        partitions = (None,) * count
    else:
        partitions = check_stages("partition_size", partitions, check_pair, count)
    grids = _stage_grids(arguments, count)
    stages = zip(num_layers, widths, sharesets, partitions, grids, strict=True)
    found = []
    for layers, width, matrices, partition, grid in stages:
        check_block((None, *grid, width), matrices, partition, arguments.reduction)
        found.append(
            {
                "num_layers": layers,
                "hidden_dim": width,
                "channel_mlp_dim": arguments.mlp_ratio * width,
                "num_sharesets": matrices,
                "partition_size": partition,
            }
        )
    return found


def _stage_grids(arguments: Arguments, stages: int) -> list[tuple[int, int]]:
    """The (height, width) of the map of every stage; ValueError unless the halvings come out."""
    grid = arguments.grid
    factor = 2 ** (stages - 1)
    if grid[0] % factor or grid[1] % factor:
        raise ValueError(
            f"`image_shape`={arguments.image_shape} gives a map of {grid[0]} x {grid[1]} patches, "
            f"which {stages} stages cannot halve {stages - 1} times: both sides must be whole "
            f"multiples of {factor}."
        )
    return [(grid[0] // 2**stage, grid[1] // 2**stage) for stage in range(stages)]
