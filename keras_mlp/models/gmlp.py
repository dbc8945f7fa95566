"""gMLP and aMLP (Liu et al., 2021, arXiv:2105.08050).

Each block is one residual branch: a pre-norm channel MLP whose hidden layer passes a gate that
mixes tokens. No class token, no position embedding; aMLP adds one narrow attention head to the
gate.
"""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_positive_int
from keras_mlp.layers import (
    Dense,
    LayerNormalization,
    PatchEmbedding,
    SpatialGatingUnit,
    TinyAttention,
    gelu,
    gelu_tanh,
)
from keras_mlp.layers.token_grid import IN, OUT, Grids
from keras_mlp.models.base import VisionModel, feature_head, image_input, size
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout
from keras_mlp.models.constructor import checked
from keras_mlp.models.timm_model import TimmModel, mixer_sizes, mlp_ratio
from keras_mlp.models.token_mixing import TokenMixing
from keras_mlp.typing import Config, DTypePolicy, ImageShape, Pair, PerChannel, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class GMLPBlock(Block):
    """Widens the channels, lets half of them gate the others across tokens, and narrows them.

    Args:
        channel_mlp_dim: hidden width F, even; the gate leaves F / 2 of it.
        attention_dim: width of the attention head added to the gate (aMLP); None for no attention.
        dropout_rate: in [0, 1), after the GELU and after the last product.
        layer_norm_epsilon: of the block's LayerNorm; that of the gate is always 1e-5.
        drop_path_rate, gelu_approximate, **kwargs: as for `Block`.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(GMLPBlock(channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    is_additive = False

    def __init__(
        self,
        channel_mlp_dim: int,
        attention_dim: int | None = None,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        layer_norm_epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), channel_mlp_dim=_check_even)

    def build(self, input_shape: Shape) -> None:
        policy, half = self.dtype_policy, self.channel_mlp_dim // 2
        activation = gelu_tanh if self.gelu_approximate else gelu
        self.norm = LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=policy, name="norm")
        self.fc1 = _dense(self.channel_mlp_dim, "fc1", policy, activation)
        self.dropout1 = keras.layers.Dropout(self.dropout_rate, dtype=policy)
        self.gate = SpatialGatingUnit(dtype=policy, name="gate")
        if self.attention_dim is not None:
            self.attention = TinyAttention(self.attention_dim, half, dtype=policy, name="attention")
            self.attention.build(input_shape)
        self.fc2 = _dense(input_shape[-1], "fc2", policy)
        self.dropout2 = keras.layers.Dropout(self.dropout_rate, dtype=policy)
        self.drop_path = self.new_drop_path()
        self.norm.build(input_shape)
        self.fc1.build(input_shape)
        self.gate.build((*input_shape[:-1], self.channel_mlp_dim))
        self.fc2.build((*input_shape[:-1], half))

    def residuals(
        self, x: Tensor, training: bool | None, grids: Grids | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        gated = self.token_mixing(x, training, grids)
        channels = self.dropout2(self.fc2(gated), training=training)
        x = x + self.drop_path(channels, training=training)
        return x, {"token_mixing": gated, "channel_mixing": channels}

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        normalized = self.norm(x)
        attention = None if self.attention_dim is None else self.attention(normalized)
        hidden = self.dropout1(self.fc1(normalized), training=training)
        return self.gate(hidden, attention, grids=grids)

    def branch_shape(self, name: str, input_shape: Shape) -> Shape:
        is_gate = name == "token_mixing"
        return (*input_shape[:-1], self.channel_mlp_dim // 2) if is_gate else input_shape


def _check_even(name: str, value: Any) -> int:
    width = check_positive_int(name, value)
    if width % 2:
        raise ValueError(f"`{name}` must be even, got {width}: half of it is the gate.")
    return width


def _dense(units: int, name: str, policy: DTypePolicy, activation: Any = None) -> Dense:
    # Initialised as in timm; the paper specifies only the gate.
    return Dense(
        units,
        activation=activation,
        kernel_initializer="glorot_uniform",
        bias_initializer=keras.initializers.RandomNormal(stddev=1e-6),
        dtype=policy,
        name=name,
    )


def _size(patch_size: int, num_layers: int, hidden_dim: int, image_side: int = 224) -> Config:
    # In every size the hidden layer is six times as wide as the tokens.
    return size(image_side, patch_size, num_layers, hidden_dim, channel_mlp_dim=6 * hidden_dim)


_TIMM = {
    "stem/projection": "stem.proj",
    "block_{i}/norm": "blocks.{i}.norm",
    "block_{i}/fc1": "blocks.{i}.mlp_channels.fc1",
    "block_{i}/gate/norm": "blocks.{i}.mlp_channels.gate.norm",
    "block_{i}/gate/token_linear": "blocks.{i}.mlp_channels.gate.proj",
    # timm has no aMLP: the names that its own conventions would give.
    "block_{i}/attention/qkv": "blocks.{i}.attn.qkv",
    "block_{i}/attention/projection": "blocks.{i}.attn.proj",
    "block_{i}/fc2": "blocks.{i}.mlp_channels.fc2",
    "norm": "norm",
    "head": "head",
}


@keras.saving.register_keras_serializable("keras_mlp")
class GMLP(VisionModel):
    """gMLP, or aMLP (Liu et al., arXiv:2105.08050), as a functional Keras model.

    A built model takes one image size: its gates have S = h * w inputs.

    Args:
        channel_mlp_dim: hidden width F of a block, even.
        attention_dim: width of the attention head that aMLP adds to every gate; None for gMLP. The
            paper's aMLPs are language models, with 64 or 128.
        drop_path_rate: in [0, 1), the same in every block. The paper's is 0.05 for S/16 and 0.2 for
            B/16.
        layer_norm_epsilon: of all LayerNorms but those of the gates, which have 1e-5.
        All others: see `VisionModel`.

    >>> model = GMLP.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "Ti/16": _size(16, 30, 128),
        "S/16": _size(16, 30, 256),
        "B/16": _size(16, 30, 512),
        "nano/4": _size(4, 12, 96, image_side=32),
        "pico/4": _size(4, 8, 48, image_side=28),
        "pico/2": _size(2, 6, 48, image_side=8),
    }

    token_mixing = TokenMixing(
        layers=("token_linear", "attention"),
        axes={"gate/token_linear/kernel": (IN, OUT), "gate/token_linear/bias": (OUT,)},
        maps=lambda block: ops.transpose(block.gate.token_linear.kernel),
        parts={
            "token_linear": "token_mixing",
            **dict.fromkeys(("fc1", "fc2", "attention"), "channel_mixing"),
        },
    )

    checkpoint_layouts = {"timm": CheckpointLayout(_TIMM, torch=True)}

    timm = TimmModel(
        {"Ti/16": "gmlp_ti16_224", "S/16": "gmlp_s16_224", "B/16": "gmlp_b16_224"},
        "timm.models.mlp_mixer.MlpMixer",
        lambda model: mixer_sizes(
            model,
            mlp_ratio(model.channel_mlp_dim, model.hidden_dim),
            block_layer="timm.models.mlp_mixer.SpatialGatingBlock",
            mlp_layer="timm.layers.GatedMlp",
        ),
        has=lambda model: model.attention_dim is None,
    )

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 16,
        num_layers: int = 30,
        hidden_dim: int = 256,
        channel_mlp_dim: int = 1536,
        attention_dim: int | None = None,
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
        arguments = checked(locals(), channel_mlp_dim=_check_even)
        pixels, x = image_input(arguments)
        x = PatchEmbedding(patch_size, hidden_dim, dtype=arguments.dtype, name="stem")(x)
        for i in range(num_layers):
            x = GMLPBlock(**arguments.of(GMLPBlock), name=f"block_{i}")(x)
        norm = LayerNormalization(epsilon=layer_norm_epsilon, dtype=arguments.dtype, name="norm")
        outputs = feature_head(norm(x), arguments, kernel_initializer="zeros")
        super().__init__(pixels, outputs, arguments)

    def arguments_of_copies(self, copies: int) -> Config:
        if self.attention_dim is not None:
            self._refuse_copies()
        return {}
