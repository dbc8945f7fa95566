"""Vision Transformer (Dosovitskiy et al., 2020, arXiv:2010.11929), the reference for the others.

Each block applies self-attention, then a channel MLP, both pre-norm with a residual connection. A
class token and a learned position embedding. DeiT (arXiv:2012.12877) is the same network with other
weights; its distilled models have a second token and a second classifier.
"""

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import check_positive
from keras_mlp.layers import (
    MLP,
    Dense,
    LayerNormalization,
    LayerScale,
    PatchEmbedding,
    PositionEmbedding,
    PrependClassToken,
    SelfAttention,
)
from keras_mlp.layers.self_attention import head_dim
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.token_grid import Grids
from keras_mlp.models.base import VisionModel, feature_head, image_input, size
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted
from keras_mlp.models.constructor import Arguments, checked, optional
from keras_mlp.models.timm_model import TimmModel, mlp_ratio
from keras_mlp.models.token_mixing import OTHER, POSITION, TokenMixing
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

# Our name, timm's name and the default, of what timm's model is told only where it differs.
_TIMM_OPTIONS = (
    ("layer_scale_init_value", "init_values", None),
    ("qkv_bias", "qkv_bias", True),
    ("reg_tokens", "reg_tokens", 0),
    ("no_embed_class", "no_embed_class", False),
    ("pre_norm", "pre_norm", False),
)
_CHECKS = {"layer_scale_init_value": optional(check_positive)}


@keras.saving.register_keras_serializable("keras_mlp")
class ViTBlock(Block):
    """Self-attention over tokens, then an MLP over channels.

    Args:
        num_heads: number of attention heads; divides C.
        channel_mlp_dim: hidden width of the MLP.
        layer_scale_init_value: initial value, above 0, of a learned factor per channel on both
            residual branches; None for no such factors.
        qkv_bias: add biases to queries, keys and values.
        quick_gelu: as for `MLP`.
        dropout_rate: in [0, 1), after attention and inside the MLP.
        drop_path_rate, gelu_approximate, layer_norm_epsilon, **kwargs: as for `Block`.

    Shapes: (B, N, C) -> (B, N, C).

    Raises:
        ValueError: an argument is out of range, or `num_heads` does not divide C.

    >>> tuple(ViTBlock(num_heads=2, channel_mlp_dim=32)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(
        self,
        num_heads: int,
        channel_mlp_dim: int,
        layer_scale_init_value: float | None = None,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        layer_norm_epsilon: float = 1e-6,
        qkv_bias: bool = True,
        quick_gelu: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **_CHECKS)

    def build(self, input_shape: Shape) -> None:
        policy, norm = self.dtype_policy, LayerNormalization
        self.norm1 = norm(epsilon=self.layer_norm_epsilon, dtype=policy, name="norm1")
        self.attention = SelfAttention(
            self.num_heads,
            dropout_rate=self.dropout_rate,
            qkv_bias=self.qkv_bias,
            dtype=policy,
            name="attention",
        )
        self.layer_scale1 = self._layer_scale("layer_scale1")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = norm(epsilon=self.layer_norm_epsilon, dtype=policy, name="norm2")
        self.channel_mlp = MLP(
            self.channel_mlp_dim,
            dropout_rate=self.dropout_rate,
            gelu_approximate=self.gelu_approximate,
            quick_gelu=self.quick_gelu,
            kernel_initializer="glorot_uniform",
            bias_initializer=keras.initializers.RandomNormal(stddev=1e-6),
            dtype=policy,
            name="channel_mlp",
        )
        self.layer_scale2 = self._layer_scale("layer_scale2")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.attention, self.layer_scale1):
            layer.build(input_shape)
        for layer in (self.norm2, self.channel_mlp, self.layer_scale2):
            layer.build(input_shape)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        return self.layer_scale1(self.attention(self.norm1(x), training=training))

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.layer_scale2(self.channel_mlp(self.norm2(x), training=training))

    def _layer_scale(self, name: str) -> keras.layers.Layer:
        if self.layer_scale_init_value is None:
            return keras.layers.Identity(dtype=self.dtype_policy, name=name)
        return LayerScale(self.layer_scale_init_value, dtype=self.dtype_policy, name=name)


def _size(
    patch_size: int,
    num_layers: int,
    hidden_dim: int,
    num_heads: int,
    mlp_ratio: int = 4,
    image_side: int = 224,
) -> Config:
    own = {"num_heads": num_heads, "channel_mlp_dim": mlp_ratio * hidden_dim}
    return size(image_side, patch_size, num_layers, hidden_dim, **own)


def _inputs_first(kernel: Array) -> Array:
    """(C, heads, d) as (C, heads * d)."""
    return kernel.reshape(kernel.shape[0], -1)


def _heads_last(kernel: Array, model: VisionModel) -> Array:
    """(C, heads * d) as (C, heads, d); of a bias (heads * d) as (heads, d)."""
    return kernel.reshape(*kernel.shape[:-1], model.num_heads, -1)


def _outputs_last(kernel: Array) -> Array:
    """(heads, d, C) as (heads * d, C)."""
    return kernel.reshape(-1, kernel.shape[-1])


def _heads_first(kernel: Array, model: VisionModel) -> Array:
    """(heads * d, C) as (heads, d, C)."""
    return kernel.reshape(model.num_heads, -1, kernel.shape[-1])


def _with_class_position(table: Array, shape: Shape) -> Array:
    """big_vision adds positions before the class token, which thus has none: zeros."""
    if table.shape[1] + 1 != shape[1]:
        return table
    return np.concatenate([np.zeros_like(table[:, :1]), table], axis=1)


def _without_class_position(table: Array, model: VisionModel) -> Array:
    if not model.class_token or model.no_embed_class:
        return table
    if table[:, 0].any():
        raise ValueError("the class token of the model has a position other than 0")
    return table[:, 1:]


def _heads_that_differ(
    attention: str,
) -> Callable[[VisionModel, dict[str, Array]], list[str]]:
    """A check of the number of heads, which no shape shows once the kernels are flat."""

    def check(model: VisionModel, tensors: dict[str, Array]) -> list[str]:
        for i in range(model.num_layers):
            name = f"Transformer/encoderblock_{i}/{attention}/query/kernel"
            kernel = tensors.get(name)
            if kernel is not None and kernel.ndim == 3 and kernel.shape[1] != model.num_heads:
                heads, width = kernel.shape[1:]
                return [
                    f"heads: {name} has {heads} heads of {width} channels, the model has "
                    f"`num_heads`={model.num_heads}"
                ]
        return []

    return check


def _google(attention: str, norm2: str, mlp: str, positions: str | Converted) -> CheckpointLayout:
    """One of the namings of Google's `.npz` files; they differ in these four names."""
    block = "Transformer/encoderblock_{i}"
    names: dict[str, str | Converted] = {
        "stem/projection": "embedding",
        "class_token/token": "cls",
        "position_embedding/embeddings": positions,
        "block_{i}/norm1": f"{block}/LayerNorm_0",
        "block_{i}/attention/projection": Converted(
            f"{block}/{attention}/out", _outputs_last, invert=_heads_first
        ),
        "block_{i}/norm2": f"{block}/{norm2}",
        "block_{i}/channel_mlp/fc1": f"{block}/{mlp}/Dense_0",
        "block_{i}/channel_mlp/fc2": f"{block}/{mlp}/Dense_1",
        "norm": "Transformer/encoder_norm",
        "pre_logits": "pre_logits",
        "head": "head",
    }
    for part in ("query", "key", "value"):
        ours, theirs = f"block_{{i}}/attention/{part}", f"{block}/{attention}/{part}"
        names[f"{ours}/kernel"] = Converted(f"{theirs}/kernel", _inputs_first, invert=_heads_last)
        names[f"{ours}/bias"] = Converted(f"{theirs}/bias", np.ravel, invert=_heads_last)
    return CheckpointLayout(names, check=_heads_that_differ(attention))


def _third(index: int) -> Callable[[Array], Array]:
    """One of queries, keys and values, which timm keeps as one tensor, outputs first."""
    return lambda fused: np.split(fused, 3)[index].T


def _timm() -> CheckpointLayout:
    names: dict[str, str | Converted] = {
        "stem/projection": "patch_embed.proj",
        "class_token/token": "cls_token",
        "distillation_token/token": "dist_token",
        "register_tokens/token": "reg_token",
        "position_embedding/embeddings": "pos_embed",
        "block_{i}/norm1": "blocks.{i}.norm1",
        "block_{i}/attention/projection": "blocks.{i}.attn.proj",
        "block_{i}/layer_scale1/gamma": "blocks.{i}.ls1.gamma",
        "block_{i}/norm2": "blocks.{i}.norm2",
        "block_{i}/channel_mlp/fc1": "blocks.{i}.mlp.fc1",
        "block_{i}/channel_mlp/fc2": "blocks.{i}.mlp.fc2",
        "block_{i}/layer_scale2/gamma": "blocks.{i}.ls2.gamma",
        "pre_norm": "norm_pre",
        "norm": "norm",
        "fc_norm": "fc_norm",
        "pre_logits": "pre_logits.fc",
        "head": "head",
        "head/distillation_kernel": Converted(
            "head_dist.weight", np.transpose, invert=lambda weight, model: weight.T
        ),
        "head/distillation_bias": "head_dist.bias",
    }
    for index, part in enumerate(("query", "key", "value")):
        for kind, tensor in (("kernel", "weight"), ("bias", "bias")):
            names[f"block_{{i}}/attention/{part}/{kind}"] = Converted(
                f"blocks.{{i}}.attn.qkv.{tensor}",
                _third(index),
                invert=lambda weight, model: weight.T,
            )
    return CheckpointLayout(
        names, torch=True, prepare=_layer_scales_as_layers, check=_options_that_differ
    )


def _layer_scales_as_layers(tensors: dict[str, Array]) -> dict[str, Array]:
    """The authors' files of DeiT III have the names of timm, but for the factors of LayerScale."""
    return {
        re.sub(r"^(blocks\.\d+)\.gamma_([12])$", r"\1.ls\2.gamma", name): tensor
        for name, tensor in tensors.items()
    }


def _options_that_differ(model: VisionModel, tensors: dict[str, Array]) -> list[str]:
    """The arguments that a file of timm's names would need, where the model has others."""
    positions = tensors.get("pos_embed")
    grid = model.grid[0] * model.grid[1]
    needed: dict[str, Any] = {
        "qkv_bias": "blocks.0.attn.qkv.bias" in tensors,
        "class_token": "cls_token" in tensors,
        "pre_norm": "norm_pre.weight" in tensors,
        "distillation_token": "dist_token" in tensors,
        "reg_tokens": tensors["reg_token"].shape[1] if "reg_token" in tensors else 0,
    }
    if positions is not None and positions.ndim == 3 and _front_tokens(model):
        needed["no_embed_class"] = positions.shape[1] == grid
    lines = [
        f"arguments: the file needs `{name}`={value}, the model has {getattr(model, name)}"
        for name, value in needed.items()
        if getattr(model, name) != value
    ]
    if ("blocks.0.ls1.gamma" in tensors) != (model.layer_scale_init_value is not None):
        value = "a number such as 1e-6" if "blocks.0.ls1.gamma" in tensors else "None"
        lines.append(f"arguments: the file needs `layer_scale_init_value` to be {value}")
    return lines


@keras.saving.register_keras_serializable("keras_mlp")
class ViT(VisionModel):
    """Vision Transformer (Dosovitskiy et al., arXiv:2010.11929), as a functional Keras model.

    A built model takes one image size, that of its position embedding.

    The published ways to pool, besides the class token of the default, are
    `class_token=False, pooling="avg"`, LayerNorm, then the mean over the grid ("gap" in Google's
    code); and `pooling="avg", norm_after_pooling=True`, the mean, then a LayerNorm (timm's
    `global_pool="avg"`), with or without a class token, which the mean leaves out.

    Args:
        num_heads: number of attention heads; divides `hidden_dim`.
        channel_mlp_dim: hidden width of the MLPs.
        class_token: prepend a learned token to the grid.
        norm_after_pooling: normalise the pooled features (layer "fc_norm") instead of all tokens
            (layer "norm"); without pooling nothing is normalised then.
        representation_size: width of a tanh layer before the classifier ("pre_logits"), which the
            paper pre-trained with; None for no such layer.
        layer_scale_init_value: initial value of a learned factor per channel on the residual
            branches; None for no such factors, as in the paper.
        qkv_bias: add biases to queries, keys and values; False for MIIL's weights.
        distillation_token: prepend a second learned token after the class token, with a classifier
            of its own, as in DeiT's distilled models. Logits are the mean of both classifiers;
            pooled features are both tokens, (B, 2 C).
        reg_tokens: number of learned register tokens (arXiv:2309.16588) after the class token,
            which take part in attention and in no pooling.
        no_embed_class: add positions to the grid alone, before the class token and registers are
            prepended, as DeiT III (arXiv:2204.07118) and big_vision do.
        pre_norm: normalise the tokens once more, before the first block, and leave out the bias of
            the patch embedding, as in CLIP's image models (arXiv:2103.00020).
        quick_gelu: compute GELU by CLIP's approximation, `x * sigmoid(1.702 x)`.
        dropout_rate: in [0, 1), after the position embedding, after attention and inside the MLPs.
            Google trained L/16 and H/14 with 0.1, the others with 0.
        All others: see `VisionModel`. The default `pixel_mean` and `pixel_std` are those of
            Google's weights; DeiT's take ImageNet's.

    Raises:
        ValueError: an argument is out of range, the patch does not divide the image, the heads do
            not divide the channels, there is no class token to pool, or a distillation token
            lacks the class token, or pooling, that its classifier goes with.

    >>> model = ViT.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    default_name = "vit"

    variants = {
        "Ti/16": _size(16, 12, 192, 3),
        "S/32": _size(32, 12, 384, 6),
        "S/16": _size(16, 12, 384, 6),
        "B/32": _size(32, 12, 768, 12),
        "B/16": _size(16, 12, 768, 12),
        "B/8": _size(8, 12, 768, 12),
        "L/32": _size(32, 24, 1024, 16),
        "L/16": _size(16, 24, 1024, 16),
        "H/14": _size(14, 32, 1280, 16),
        "nano/4": _size(4, 6, 128, 4, image_side=32),
        "pico/4": _size(4, 5, 64, 4, image_side=28),
        "pico/2": _size(2, 4, 64, 4, mlp_ratio=2, image_side=8),
    }

    zero_gradient = (
        ("attention/key/bias",),
        "adds one number to all scores of a query, which the softmax cancels",
    )

    # How attention mixes depends on the image: no weights connect tokens.
    token_mixing = TokenMixing(
        layers=("attention",),
        axes={"position_embedding/embeddings": (OTHER, POSITION, OTHER)},
        parts=dict.fromkeys(("attention", "channel_mlp"), "channel_mixing"),
    )

    checkpoint_layouts = {
        # Published before Flax numbered its layers by kind.
        "google": _google(
            "MultiHeadDotProductAttention_1",
            "LayerNorm_2",
            "MlpBlock_3",
            "Transformer/posembed_input/pos_embedding",
        ),
        "google_linen": _google(
            "MultiHeadDotProductAttention_0",
            "LayerNorm_1",
            "MlpBlock_0",
            "Transformer/posembed_input/pos_embedding",
        ),
        "big_vision": _google(
            "MultiHeadDotProductAttention_0",
            "LayerNorm_1",
            "MlpBlock_0",
            Converted(
                "pos_embedding",
                _with_class_position,
                takes_shape=True,
                invert=_without_class_position,
            ),
        ),
        "timm": _timm(),
    }

    timm = TimmModel(
        {
            "Ti/16": "vit_tiny_patch16_224",
            "S/32": "vit_small_patch32_224",
            "S/16": "vit_small_patch16_224",
            "B/32": "vit_base_patch32_224",
            "B/16": "vit_base_patch16_224",
            "B/8": "vit_base_patch8_224",
            "L/32": "vit_large_patch32_224",
            "L/16": "vit_large_patch16_224",
            "H/14": "vit_huge_patch14_224",
        },
        "timm.models.vision_transformer.VisionTransformer",
        lambda model: {
            "patch_size": model.patch_size,
            "depth": model.num_layers,
            "embed_dim": model.hidden_dim,
            "num_heads": model.num_heads,
            "mlp_ratio": mlp_ratio(model.channel_mlp_dim, model.hidden_dim),
        },
        options=lambda model: {
            "class_token": model.class_token,
            "fc_norm": model.norm_after_pooling,
            **{
                theirs: getattr(model, ours)
                for ours, theirs, default in _TIMM_OPTIONS
                if getattr(model, ours) != default
            },
        },
        has=lambda model: (
            model.representation_size is None
            and not model.distillation_token  # timm has it as another class
            and not model.quick_gelu  # timm takes a class of PyTorch
            and not (model.pooling is None and model.norm_after_pooling)
        ),
    )

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 16,
        num_layers: int = 12,
        hidden_dim: int = 768,
        num_heads: int = 12,
        channel_mlp_dim: int = 3072,
        num_classes: int = 1000,
        class_token: bool = True,
        norm_after_pooling: bool = False,
        representation_size: int | None = None,
        layer_scale_init_value: float | None = None,
        qkv_bias: bool = True,
        distillation_token: bool = False,
        reg_tokens: int = 0,
        no_embed_class: bool = False,
        pre_norm: bool = False,
        quick_gelu: bool = False,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        layer_norm_epsilon: float = 1e-6,
        include_top: bool = True,
        pooling: str | None = "token",
        classifier_activation: str | None = None,
        include_preprocessing: bool = True,
        pixel_mean: PerChannel = 0.5,
        pixel_std: PerChannel = 0.5,
        remat: bool = False,
        name: str | None = None,
        dtype: DTypePolicy = None,
    ) -> None:
        arguments = checked(locals(), **_CHECKS)
        head_dim(arguments.hidden_dim, arguments.num_heads)
        _check_distillation(arguments)
        pixels, x = image_input(arguments)
        stem = {"use_bias": not arguments.pre_norm, "dtype": arguments.dtype}
        x = PatchEmbedding(patch_size, hidden_dim, **stem, name="stem")(x)
        x = _with_front_tokens(x, arguments)
        x = keras.layers.Dropout(arguments.dropout_rate, dtype=arguments.dtype, name="dropout")(x)
        norm = {"epsilon": layer_norm_epsilon, "dtype": arguments.dtype}
        if arguments.pre_norm:
            x = LayerNormalization(**norm, name="pre_norm")(x)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = ViTBlock(**arguments.of(ViTBlock, drop_path_rate=rate), name=f"block_{i}")(x)
        last_norm = LayerNormalization(**norm, name="fc_norm" if norm_after_pooling else "norm")
        outputs = feature_head(
            x if norm_after_pooling else last_norm(x),
            arguments,
            kernel_initializer="zeros",
            front_tokens=_front_tokens(arguments),
            class_tokens=1 + arguments.distillation_token,
            after_pooling=(*([last_norm] if norm_after_pooling else []), *_pre_logits(arguments)),
        )
        super().__init__(pixels, outputs, arguments)
        if arguments.pre_norm:  # the patch embedding has no bias
            self.input_offset = ("position_embedding/embeddings", 1)

    def arguments_of_copies(self, copies: int) -> Config:
        self._refuse_copies()


def _check_distillation(arguments: Arguments) -> None:
    """Raises ValueError unless a distillation token has what its classifier reads."""
    if not arguments.distillation_token:
        return
    needed: dict[str, Any] = {
        "class_token": True,
        "norm_after_pooling": False,
        "representation_size": None,
    }
    if arguments.include_top:
        needed["pooling"] = "token"
    for name, value in needed.items():
        if getattr(arguments, name) != value:
            raise ValueError(
                f"`distillation_token`=True needs `{name}`={value!r}, as in the authors' code: got "
                f"{getattr(arguments, name)!r}."
            )


def _front_tokens(model: Any) -> int:
    """The number of tokens in front of the grid, of a model or of its arguments."""
    return model.class_token + model.distillation_token + model.reg_tokens


def _with_front_tokens(x: Tensor, arguments: Arguments) -> Tensor:
    """The tokens of the grid after a class token and register tokens, with positions."""
    positions = PositionEmbedding(dtype=arguments.dtype, name="position_embedding")
    if arguments.no_embed_class:
        x = positions(x)
    if arguments.reg_tokens:
        x = PrependClassToken(
            keras.initializers.RandomNormal(stddev=1e-6),
            arguments.reg_tokens,
            dtype=arguments.dtype,
            name="register_tokens",
        )(x)
    if arguments.distillation_token:
        x = PrependClassToken(
            keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=arguments.dtype,
            name="distillation_token",
        )(x)
    if arguments.class_token:
        x = PrependClassToken(dtype=arguments.dtype, name="class_token")(x)
    return x if arguments.no_embed_class else positions(x)


def _pre_logits(arguments: Arguments) -> list[Dense]:
    if arguments.representation_size is None:
        return []
    dense = Dense(
        arguments.representation_size,
        activation="tanh",
        kernel_initializer="lecun_normal",
        dtype=arguments.dtype,
        name="pre_logits",
    )
    return [dense]
