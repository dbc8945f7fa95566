"""MLP-Mixer (Tolstikhin et al., 2021, arXiv:2105.01601).

Each block applies a token MLP, then a channel MLP, both pre-norm with a residual connection. No
attention, no class token, no position embedding.
"""

import re
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.layers import MLP, LayerNormalization, PatchEmbedding, TokenMLP
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.token_grid import Grids
from keras_mlp.models.base import VisionModel, feature_head, image_input, size
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted
from keras_mlp.models.constructor import checked
from keras_mlp.models.timm_model import TimmModel, mixer_sizes, mlp_ratio
from keras_mlp.models.token_mixing import TOKEN_MLP_AXES, TokenMixing
from keras_mlp.typing import Array, Config, DTypePolicy, ImageShape, Pair, PerChannel, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class MixerBlock(Block):
    """Mixes tokens by an MLP, then channels by another.

    Args:
        token_mlp_dim: hidden width D_S of the token MLP.
        channel_mlp_dim: hidden width D_C of the channel MLP.
        dropout_rate, drop_path_rate, gelu_approximate, layer_norm_epsilon, **kwargs: as for
            `Block`.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(MixerBlock(token_mlp_dim=8, channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    def __init__(
        self,
        token_mlp_dim: int,
        channel_mlp_dim: int,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        layer_norm_epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def build(self, input_shape: Shape) -> None:
        norm = {"epsilon": self.layer_norm_epsilon, "dtype": self.dtype_policy}
        mlp = {
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "dtype": self.dtype_policy,
        }
        self.norm1 = LayerNormalization(**norm, name="norm1")
        self.token_mlp = TokenMLP(self.token_mlp_dim, **mlp, name="token_mlp")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = LayerNormalization(**norm, name="norm2")
        self.channel_mlp = MLP(self.channel_mlp_dim, **mlp, name="channel_mlp")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.token_mlp, self.norm2, self.channel_mlp):
            layer.build(input_shape)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        return self.token_mlp(self.norm1(x), training=training, grids=grids)

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.channel_mlp(self.norm2(x), training=training)


def _published(patch_size: int, num_layers: int, hidden_dim: int) -> Config:
    # In every published size the token MLP is half as wide as the channels, whatever the grid.
    widths = {"token_mlp_dim": hidden_dim // 2, "channel_mlp_dim": 4 * hidden_dim}
    return size(224, patch_size, num_layers, hidden_dim, **widths)


_GOOGLE = {
    "stem/projection": "stem",
    "block_{i}/norm1": "MixerBlock_{i}/LayerNorm_0",
    "block_{i}/token_mlp/fc1": "MixerBlock_{i}/token_mixing/Dense_0",
    "block_{i}/token_mlp/fc2": "MixerBlock_{i}/token_mixing/Dense_1",
    "block_{i}/norm2": "MixerBlock_{i}/LayerNorm_1",
    "block_{i}/channel_mlp/fc1": "MixerBlock_{i}/channel_mixing/Dense_0",
    "block_{i}/channel_mlp/fc2": "MixerBlock_{i}/channel_mixing/Dense_1",
    "norm": "pre_head_layer_norm",
    "head": "head",
}

_TIMM = {
    "stem/projection": "stem.proj",
    "block_{i}/norm1": "blocks.{i}.norm1",
    "block_{i}/token_mlp/fc1": "blocks.{i}.mlp_tokens.fc1",
    "block_{i}/token_mlp/fc2": "blocks.{i}.mlp_tokens.fc2",
    "block_{i}/norm2": "blocks.{i}.norm2",
    "block_{i}/channel_mlp/fc1": "blocks.{i}.mlp_channels.fc1",
    "block_{i}/channel_mlp/fc2": "blocks.{i}.mlp_channels.fc2",
    "norm": "norm",
    "head": "head",
}


def _google_legacy() -> dict[str, str | Converted]:
    block = "Mixer/encoderblock_{i}"
    names: dict[str, str | Converted] = {
        "stem/projection": "embedding",
        "block_{i}/norm1": f"{block}/LayerNorm_0",
        "block_{i}/norm2": f"{block}/LayerNorm_1",
        "norm": "Mixer/encoder_norm",
        "head": "head",
    }
    for mlp in ("token", "channel"):
        for number in (1, 2):
            for kind in ("kernel", "bias"):
                published = f"{block}/{mlp}_mixing_phase_0/{kind}{number}"
                # Axes of length 1 may surround them.
                names[f"block_{{i}}/{mlp}_mlp/fc{number}/{kind}"] = Converted(published, np.squeeze)
    return names


_LEGACY_NORM = re.compile(r"(Mixer/encoderblock_\d+/LayerNorm_)(\d+)(/.*)")


def _with_norms_counted_alone(tensors: dict[str, Array]) -> dict[str, Array]:
    """The LayerNorms of a block as 0 and 1: that code numbered them together with other layers."""
    numbers: dict[str, set[int]] = {}
    for match in filter(None, map(_LEGACY_NORM.fullmatch, tensors)):
        numbers.setdefault(match[1], set()).add(int(match[2]))

    def renumbered(match: re.Match[str]) -> str:
        return f"{match[1]}{sorted(numbers[match[1]]).index(int(match[2]))}{match[3]}"

    return {_LEGACY_NORM.sub(renumbered, name): tensor for name, tensor in tensors.items()}


@keras.saving.register_keras_serializable("keras_mlp")
class MLPMixer(VisionModel):
    """MLP-Mixer (Tolstikhin et al., arXiv:2105.01601), as a functional Keras model.

    A built model takes one image size: its token MLPs have S = h * w inputs.

    Args:
        token_mlp_dim: hidden width D_S of the token MLPs.
        channel_mlp_dim: hidden width D_C of the channel MLPs.
        All others: see `VisionModel`.

    >>> model = MLPMixer.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "S/32": _published(32, 8, 512),
        "S/16": _published(16, 8, 512),
        "B/32": _published(32, 12, 768),
        "B/16": _published(16, 12, 768),
        "L/32": _published(32, 24, 1024),
        "L/16": _published(16, 24, 1024),
        "H/14": _published(14, 32, 1280),
        "nano/4": size(32, 4, 8, 128, token_mlp_dim=64, channel_mlp_dim=512),
        "pico/4": size(28, 4, 6, 64, token_mlp_dim=64, channel_mlp_dim=256),
        "pico/2": size(8, 2, 4, 64, token_mlp_dim=32, channel_mlp_dim=256),
    }

    short_name = "mixer"

    zero_gradient = (
        ("token_mlp/fc2/bias",),
        "adds one number to all channels of a token, which LayerNorm subtracts",
    )

    token_mixing = TokenMixing(
        layers=("token_mlp",),
        axes=TOKEN_MLP_AXES,
        maps=lambda block: ops.transpose(block.token_mlp.fc1.kernel),
        parts={"token_mlp": "token_mixing", "channel_mlp": "channel_mixing"},
    )

    checkpoint_layouts = {
        "google": CheckpointLayout(_GOOGLE),
        # Before Google released its code; big_vision still reads it.
        "google_legacy": CheckpointLayout(_google_legacy(), prepare=_with_norms_counted_alone),
        "timm": CheckpointLayout(_TIMM, torch=True),
    }

    timm = TimmModel(
        {
            "S/32": "mixer_s32_224",
            "S/16": "mixer_s16_224",
            "B/32": "mixer_b32_224",
            "B/16": "mixer_b16_224",
            "L/32": "mixer_l32_224",
            "L/16": "mixer_l16_224",
        },
        "timm.models.mlp_mixer.MlpMixer",
        lambda model: mixer_sizes(
            model,
            [
                mlp_ratio(width, model.hidden_dim)
                for width in (model.token_mlp_dim, model.channel_mlp_dim)
            ],
        ),
    )

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 16,
        num_layers: int = 12,
        hidden_dim: int = 768,
        token_mlp_dim: int = 384,
        channel_mlp_dim: int = 3072,
        num_classes: int = 1000,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        layer_norm_epsilon: float = 1e-6,
        include_top: bool = True,
        pooling: str | None = "avg",
        classifier_activation: str | None = None,
        include_preprocessing: bool = True,
        pixel_mean: PerChannel = 0.5,
        pixel_std: PerChannel = 0.5,
        remat: bool = False,
        name: str | None = None,
        dtype: DTypePolicy = None,
    ) -> None:
        arguments = checked(locals())
        pixels, x = image_input(arguments)
        x = PatchEmbedding(patch_size, hidden_dim, dtype=arguments.dtype, name="stem")(x)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = MixerBlock(**arguments.of(MixerBlock, drop_path_rate=rate), name=f"block_{i}")(x)
        norm = LayerNormalization(epsilon=layer_norm_epsilon, dtype=arguments.dtype, name="norm")
        outputs = feature_head(norm(x), arguments, kernel_initializer="zeros")
        super().__init__(pixels, outputs, arguments)

    def arguments_of_copies(self, copies: int) -> Config:
        return {"token_mlp_dim": copies * self.token_mlp_dim}
