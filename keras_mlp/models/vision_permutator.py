"""Vision Permutator, ViP (Hou et al., 2021, arXiv:2106.12368).

Each block applies a Permute-MLP, which mixes along height, width and channels, then a channel MLP,
both pre-norm with a residual connection. Blocks come in stages. Without `segments`, images are
square and the side of the map divides the channels of every stage.
"""

import math
import numbers
import re
from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_positive, check_positive_int, check_stages
from keras_mlp.layers import MLP, LayerNormalization, PatchEmbedding, PermuteMLP
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.token_grid import IN, OUT, Grids
from keras_mlp.models.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VisionModel,
    feature_head,
    image_input,
    size,
)
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout
from keras_mlp.models.constructor import Arguments, checked, optional
from keras_mlp.models.token_mixing import TokenMixing
from keras_mlp.typing import Config, DTypePolicy, ImageShape, Pair, PerChannel, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PermutatorBlock(Block):
    """A Permute-MLP, then a channel MLP.

    Args:
        channel_mlp_dim: hidden width of the channel MLP.
        weighted, qkv_bias, segments: as for `PermuteMLP`.
        skip_lam: number above 0 that divides both branches before they are added.
        dropout_rate: in [0, 1), after the Permute-MLP and inside the channel MLP.
        drop_path_rate, layer_norm_epsilon, **kwargs: as for `Block`.

    Shapes: (B, h, w, C) -> (B, h, w, C), with h = w a divisor of C without `segments`.

    Raises:
        ValueError: an argument is out of range, or does not fit the map, as for `PermuteMLP`.

    >>> tuple(PermutatorBlock(channel_mlp_dim=24)(numpy.ones((2, 4, 4, 8))).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        channel_mlp_dim: int,
        weighted: bool = True,
        qkv_bias: bool = False,
        skip_lam: float = 1.0,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_norm_epsilon: float = 1e-5,
        segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), segments=optional(check_positive_int))

    def build(self, input_shape: Shape) -> None:
        norm = {"epsilon": self.layer_norm_epsilon, "dtype": self.dtype_policy}
        mlp = {
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": keras.initializers.RandomNormal(stddev=0.02),
            "dtype": self.dtype_policy,
        }
        self.norm1 = LayerNormalization(**norm, name="norm1")
        self.permute_mlp = PermuteMLP(
            self.weighted, self.qkv_bias, segments=self.segments, **mlp, name="permute_mlp"
        )
        self.drop_path1 = self.new_drop_path()
        self.norm2 = LayerNormalization(**norm, name="norm2")
        self.channel_mlp = MLP(self.channel_mlp_dim, **mlp, name="channel_mlp")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.permute_mlp, self.norm2, self.channel_mlp):
            layer.build(input_shape)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        return self._scaled(self.permute_mlp(self.norm1(x), training=training))

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self._scaled(self.channel_mlp(self.norm2(x), training=training))

    def _scaled(self, branch: Tensor) -> Tensor:
        return branch if self.skip_lam == 1 else branch / self.skip_lam


# The authors' code numbers stages and transitions together, as {n}.
_OFFICIAL = {
    "stem/projection": "patch_embed.proj",
    "stage_{stage}_block_{i}/norm1": "network.{n}.{i}.norm1",
    "stage_{stage}_block_{i}/permute_mlp/channel": "network.{n}.{i}.attn.mlp_c",
    "stage_{stage}_block_{i}/permute_mlp/height": "network.{n}.{i}.attn.mlp_h",
    "stage_{stage}_block_{i}/permute_mlp/width": "network.{n}.{i}.attn.mlp_w",
    "stage_{stage}_block_{i}/permute_mlp/reweight/fc1": "network.{n}.{i}.attn.reweight.fc1",
    "stage_{stage}_block_{i}/permute_mlp/reweight/fc2": "network.{n}.{i}.attn.reweight.fc2",
    "stage_{stage}_block_{i}/permute_mlp/projection": "network.{n}.{i}.attn.proj",
    "stage_{stage}_block_{i}/norm2": "network.{n}.{i}.norm2",
    "stage_{stage}_block_{i}/channel_mlp/fc1": "network.{n}.{i}.mlp.fc1",
    "stage_{stage}_block_{i}/channel_mlp/fc2": "network.{n}.{i}.mlp.fc2",
    "downsample_{before}/projection": "network.{n}.proj",
    "norm": "norm",
    "head": "head",
}


def _official_numbers(model: Any, numbers: dict[str, int]) -> dict[str, int]:
    """The number of a stage, or of the transition after it, among all of both."""
    if not {"stage", "before"} & numbers.keys():
        return numbers
    stage = numbers["stage"] if "stage" in numbers else numbers["before"] + 1
    transitions = [_has_transition(i, model.hidden_dim, model.downsample) for i in range(stage)]
    return {**numbers, "n": stage + sum(transitions) - ("before" in numbers)}


@keras.saving.register_keras_serializable("keras_mlp")
class VisionPermutator(VisionModel):
    """Vision Permutator (Hou et al., arXiv:2106.12368), as a functional Keras model.

    The map of every stage must be square with a side that divides the stage's channels, unless
    `segments` are given; a built model takes one image size.

    Args:
        num_layers: number of blocks of each stage, as a tuple.
        hidden_dim: channels of each stage, as a tuple.
        downsample: for each stage but the last, whether the map is halved after it, as a tuple.
            Where only the channels change, a 1 x 1 convolution changes them.
        mlp_ratio: hidden width of the channel MLPs over the channels; a number, or one per stage.
        weighted, qkv_bias: as for `PermuteMLP`. The published models are weighted, without bias.
        segments: number of segments of the channels of each stage, as a tuple; None for the side of
            the stage's map, as in the paper. With segments, height and width are free but for the
            halvings; weights at another image size keep the segments that they were trained with.
        skip_lam: number above 0 that divides every branch before it is added.
        dropout_rate: in [0, 1), after the Permute-MLPs and inside the channel MLPs. The paper's
            is 0.
        All others: see `VisionModel`.

    Raises:
        ValueError: an argument is out of range, or the image does not fit (the message lists the
            sizes that would, with new weights; `with_image_shape` fits trained ones to others).

    >>> model = VisionPermutator.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "S/14": size(224, 14, (4, 3, 8, 3), (384,) * 4, downsample=(False, False, False)),
        "S/7": size(224, 7, (4, 3, 8, 3), (192, 384, 384, 384), downsample=(True, False, False)),
        "M/7": size(224, 7, (4, 3, 14, 3), (256, 256, 512, 512), downsample=(False, True, False)),
        "L/7": size(224, 7, (8, 8, 16, 4), (256, 512, 512, 512), downsample=(True, False, False)),
        "nano/4": size(32, 4, (3, 5), (64, 128), downsample=(True,)),
        "pico/4": size(28, 4, (6,), (56,), downsample=()),
        "pico/2": size(8, 2, (3,), (64,), downsample=()),
    }

    short_name = "vip"

    token_mixing = TokenMixing(
        layers=("height", "width"),
        axes={
            f"permute_mlp/{side}/{kind}": roles
            for side in ("height", "width")
            for kind, roles in (("kernel", (IN, OUT)), ("bias", (OUT,)))
        },
        maps=lambda block: ops.stack(
            [
                ops.transpose(mixing.kernel)
                for mixing in (block.permute_mlp.height, block.permute_mlp.width)
            ]
        ),
        parts={
            **dict.fromkeys(("height", "width"), "token_mixing"),
            **dict.fromkeys(("permute_mlp", "channel_mlp"), "channel_mixing"),
            "reweight": "other",
        },
    )

    checkpoint_layouts = {
        "official": CheckpointLayout(_OFFICIAL, torch=True, numbers=_official_numbers)
    }

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 7,
        num_layers: tuple[int, ...] = (4, 3, 8, 3),
        hidden_dim: tuple[int, ...] = (192, 384, 384, 384),
        downsample: tuple[bool, ...] = (True, False, False),
        mlp_ratio: float | tuple[float, ...] = 3,
        weighted: bool = True,
        qkv_bias: bool = False,
        skip_lam: float = 1.0,
        segments: tuple[int, ...] | None = None,
        num_classes: int = 1000,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_norm_epsilon: float = 1e-5,
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
            segments=optional(check_stages),
        )
        stages = len(arguments.num_layers)
        widths = check_stages("hidden_dim", hidden_dim, count=stages)
        downsample = _check_downsample(downsample, stages - 1)
        ratios = (mlp_ratio,) * stages if isinstance(mlp_ratio, numbers.Real) else mlp_ratio
        ratios = check_stages("mlp_ratio", ratios, check_positive, stages)
        parts = _check_segments(arguments, widths, downsample)

        pixels, x = image_input(arguments)
        x = _embedding(arguments.patch_size, widths[0], x, arguments.dtype, "stem")
        rates = iter(linear_ramp(drop_path_rate, sum(num_layers)))
        for stage, width in enumerate(widths):
            for i in range(num_layers[stage]):
                hidden = max(int(width * ratios[stage]), 1)
                own = arguments.of(
                    PermutatorBlock,
                    channel_mlp_dim=hidden,
                    drop_path_rate=next(rates),
                    segments=parts[stage],
                )
                x = PermutatorBlock(**own, name=f"stage_{stage}_block_{i}")(x)
            if _has_transition(stage, widths, downsample):
                side = 2 if downsample[stage] else 1
                name = f"downsample_{stage}"
                x = _embedding((side, side), widths[stage + 1], x, arguments.dtype, name)
        norm = LayerNormalization(epsilon=layer_norm_epsilon, dtype=arguments.dtype, name="norm")
        normal = keras.initializers.RandomNormal(stddev=0.02)
        outputs = feature_head(norm(x), arguments, kernel_initializer=normal)
        super().__init__(pixels, outputs, arguments)

    @property
    def grid_step(self) -> tuple[int, int]:
        factor: int = 2 ** sum(self.downsample)
        return factor, factor

    def token_grid(self, weight_path: str) -> tuple[int, int]:
        """Rows, or columns: a matrix runs over one side of its stage's map."""
        match = _STAGE.match(weight_path)
        if match is None:
            return self.grid
        height, width = (side // _factor(int(match[1]), self.downsample) for side in self.grid)
        return (width, 1) if "/width/" in weight_path else (height, 1)

    def arguments_at(self, image_shape: ImageShape) -> Config:
        # The default would follow the image size.
        if self.segments is not None:
            return {"segments": self.segments}
        stages = range(len(self.hidden_dim))
        return {"segments": tuple(self.grid[0] // _factor(i, self.downsample) for i in stages)}

    def arguments_of_copies(self, copies: int) -> Config:
        self._refuse_copies("the rows and columns that they lie in")


_STAGE = re.compile(r"stage_(\d+)_block_")


def _factor(stage: int, downsample: tuple[bool, ...]) -> int:
    """By how much the side of a stage's map is smaller than that of the first."""
    factor: int = 2 ** sum(downsample[:stage])
    return factor


def _check_segments(
    arguments: Arguments, hidden_dim: tuple[int, ...], downsample: tuple[bool, ...]
) -> tuple[int | None, ...]:
    """The segments of every stage, or ValueError if they or the image do not fit the channels."""
    stages = len(hidden_dim)
    if arguments.segments is None:
        sides = _working_sides(hidden_dim, downsample)
        if arguments.grid[0] != arguments.grid[1] or arguments.grid[0] not in sides:
            raise ValueError(_misfit(arguments, hidden_dim, sides))
        return (None,) * stages
    segments = check_stages("segments", arguments.segments, count=stages)
    for number, width in zip(segments, hidden_dim, strict=True):
        if width % number:
            raise ValueError(
                f"`segments`={segments} must divide the channels of every stage, here "
                f"`hidden_dim`={hidden_dim}."
            )
    factor = _factor(stages - 1, downsample)
    if arguments.grid[0] % factor or arguments.grid[1] % factor:
        raise ValueError(
            f"`image_shape`={arguments.image_shape} gives a map of {arguments.grid[0]} x "
            f"{arguments.grid[1]} patches, which must be halved {sum(downsample)} times: both sides"
            f" must be multiples of {factor}."
        )
    return segments


def _embedding(
    patch_size: tuple[int, int], hidden_dim: int, image: Tensor, dtype: DTypePolicy, name: str
) -> Tensor:
    """A convolution whose stride is its size, with PyTorch's initial values."""
    initializer = torch_uniform(patch_size[0] * patch_size[1] * image.shape[-1])
    return PatchEmbedding(
        patch_size,
        hidden_dim,
        kernel_initializer=initializer,
        bias_initializer=initializer.clone(),
        flatten=False,
        dtype=dtype,
        name=name,
    )(image)


def _has_transition(stage: int, hidden_dim: tuple[int, ...], downsample: tuple[bool, ...]) -> bool:
    is_last = stage == len(hidden_dim) - 1
    return not is_last and (downsample[stage] or hidden_dim[stage] != hidden_dim[stage + 1])


def _check_downsample(value: Any, count: int) -> tuple[bool, ...]:
    is_fit = isinstance(value, (tuple, list)) and len(value) == count
    if not is_fit or not all(isinstance(each, bool) for each in value):
        raise ValueError(
            f"`downsample` must be a tuple of {count} bools, one per stage but the last, got "
            f"{value!r}."
        )
    return tuple(value)


def _working_sides(hidden_dim: tuple[int, ...], downsample: tuple[bool, ...]) -> list[int]:
    """The sides of the first map that divide the channels of every stage."""
    factors = [_factor(stage, downsample) for stage in range(len(hidden_dim))]
    # In a stage the side is the first one over the stage's factor.
    common = math.gcd(*(channels * f for channels, f in zip(hidden_dim, factors, strict=True)))
    small = [side for side in range(1, math.isqrt(common) + 1) if common % side == 0]
    sides = {*small, *(common // side for side in small)}
    return sorted(side for side in sides if side % factors[-1] == 0)


def _misfit(arguments: Arguments, hidden_dim: tuple[int, ...], sides: list[int]) -> str:
    patch, grid = arguments.patch_size, arguments.grid
    sizes = ", ".join(f"{side * patch[0]} x {side * patch[1]}" for side in sides)
    allowed = "No image fits them."
    if sizes:
        allowed = (
            "A new model takes any of these; `keras_mlp.with_image_shape` fits trained weights, "
            f"published ones too, to other sizes. Images that fit: {sizes}."
        )
    return (
        f"`image_shape`={arguments.image_shape} with `patch_size`={patch} gives a map of "
        f"{grid[0]} x {grid[1]}: Vision Permutator needs a square map whose side divides the "
        f"channels of every stage, here `hidden_dim`={hidden_dim}. {allowed}"
    )
