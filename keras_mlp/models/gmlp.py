"""gMLP and aMLP (Liu et al., 2021, arXiv:2105.08050).

One residual branch a block: a channel MLP whose hidden layer passes a gate that mixes tokens. No
class token, no positions; aMLP adds one narrow attention head to the gate.
"""

import keras

from keras_mlp.arguments import (
    check_bool,
    check_image_shape,
    check_optional,
    check_pair,
    check_positive,
    check_positive_int,
    check_rate,
    check_shared,
    patch_grid,
)
from keras_mlp.layers import (
    Dense,
    PatchEmbedding,
    SpatialGatingUnit,
    TinyAttention,
    gelu,
    gelu_tanh,
)
from keras_mlp.models.base import VisionModel, feature_head, image_input
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout


@keras.saving.register_keras_serializable("keras_mlp")
class GMLPBlock(Block):
    """Widens the channels, lets half of them gate the others across tokens, and narrows them.

    Args:
        channel_mlp_dim: hidden width F, even; the gate leaves F / 2 of it.
        attention_dim: width of the attention head added to the gate (aMLP); None for no attention.
        dropout_rate: in [0, 1), behind the GELU and behind the last product.
        drop_path_rate: in [0, 1), of dropping the residual branch of a sample.
        gelu_approximate: use the tanh approximation of GELU.
        layer_norm_epsilon: of the block's LayerNorm; that of the gate is always 1e-5.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, S, C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(GMLPBlock(channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    def __init__(
        self,
        channel_mlp_dim,
        attention_dim=None,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.channel_mlp_dim = _check_even(channel_mlp_dim)
        self.attention_dim = check_optional("attention_dim", attention_dim, check_positive_int)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.gelu_approximate = check_bool("gelu_approximate", gelu_approximate)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, input_shape):
        policy, half = self.dtype_policy, self.channel_mlp_dim // 2
        activation = gelu_tanh if self.gelu_approximate else gelu
        self.norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=policy, name="norm"
        )
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
        self.built = True

    def residuals(self, x, training):
        gated = self.token_mixing(x, training)
        added = self.dropout2(self.fc2(gated), training=training)
        outputs = x + self.drop_path(added, training=training)
        return outputs, {"token_mixing": gated, "channel_mixing": added}

    def token_mixing(self, x, training):
        normalized = self.norm(x)
        attention = None if self.attention_dim is None else self.attention(normalized)
        hidden = self.dropout1(self.fc1(normalized), training=training)
        return self.gate(hidden, attention)

    def branch_shape(self, name, input_shape):
        is_gate = name == "token_mixing"
        return (*input_shape[:-1], self.channel_mlp_dim // 2) if is_gate else input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "channel_mlp_dim": self.channel_mlp_dim,
            "attention_dim": self.attention_dim,
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }


def _check_even(channel_mlp_dim):
    width = check_positive_int("channel_mlp_dim", channel_mlp_dim)
    if width % 2:
        raise ValueError(f"`channel_mlp_dim` must be even, got {width}: half of it is the gate.")
    return width


def _dense(units, name, policy, activation=None):
    # As timm starts them; the paper says nothing but for the gate.
    return Dense(
        units,
        activation=activation,
        kernel_initializer="glorot_uniform",
        bias_initializer=keras.initializers.RandomNormal(stddev=1e-6),
        dtype=policy,
        name=name,
    )


def _size(patch_size, num_layers, hidden_dim, image_side=224):
    # In every size the hidden layer is six times as wide as the tokens.
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "channel_mlp_dim": 6 * hidden_dim,
    }


@keras.saving.register_keras_serializable("keras_mlp")
class GMLP(VisionModel):
    """gMLP, or aMLP (Liu et al., arXiv:2105.08050), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size: its gates have S = h * w inputs.

    Args:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks.
        hidden_dim: channels C of a token.
        channel_mlp_dim: hidden width F of a block, even.
        attention_dim: width of the attention head that aMLP adds to every gate; None for gMLP. The
            paper's aMLPs are language models, with 64 or 128.
        num_classes: number of logits.
        dropout_rate: in [0, 1), inside the blocks.
        drop_path_rate: in [0, 1), of every block: there is no ramp over depth. The paper's is 0.05
            for S/16 and 0.2 for B/16.
        gelu_approximate: True for the tanh approximation of GELU; published weights want False.
        layer_norm_epsilon: of all LayerNorms but those of the gates, which have 1e-5.
        include_top: False ends in features instead of logits.
        pooling: "avg" for features (B, C); with `include_top=False` also None for (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    Example:

    >>> model = GMLP.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "Ti/16": _size(16, 30, 128),
        "S/16": _size(16, 30, 256),
        "B/16": _size(16, 30, 512),
        # Ours, for small images: not in the paper.
        "nano/4": _size(4, 12, 96, image_side=32),
        "pico/4": _size(4, 8, 48, image_side=28),
        "pico/2": _size(2, 6, 48, image_side=8),
    }

    checkpoint_layouts = {
        "timm": CheckpointLayout(
            {
                "stem/projection/kernel": "stem.proj.weight",
                "stem/projection/bias": "stem.proj.bias",
                "block_{i}/norm/gamma": "blocks.{i}.norm.weight",
                "block_{i}/norm/beta": "blocks.{i}.norm.bias",
                "block_{i}/fc1/kernel": "blocks.{i}.mlp_channels.fc1.weight",
                "block_{i}/fc1/bias": "blocks.{i}.mlp_channels.fc1.bias",
                "block_{i}/gate/norm/gamma": "blocks.{i}.mlp_channels.gate.norm.weight",
                "block_{i}/gate/norm/beta": "blocks.{i}.mlp_channels.gate.norm.bias",
                "block_{i}/gate/token_linear/kernel": "blocks.{i}.mlp_channels.gate.proj.weight",
                "block_{i}/gate/token_linear/bias": "blocks.{i}.mlp_channels.gate.proj.bias",
                # timm has no aMLP: names that its own conventions would give.
                "block_{i}/attention/qkv/kernel": "blocks.{i}.attn.qkv.weight",
                "block_{i}/attention/qkv/bias": "blocks.{i}.attn.qkv.bias",
                "block_{i}/attention/projection/kernel": "blocks.{i}.attn.proj.weight",
                "block_{i}/attention/projection/bias": "blocks.{i}.attn.proj.bias",
                "block_{i}/fc2/kernel": "blocks.{i}.mlp_channels.fc2.weight",
                "block_{i}/fc2/bias": "blocks.{i}.mlp_channels.fc2.bias",
                "norm/gamma": "norm.weight",
                "norm/beta": "norm.bias",
                "head/kernel": "head.weight",
                "head/bias": "head.bias",
            },
            torch=True,
        ),
    }

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=16,
        num_layers=30,
        hidden_dim=256,
        channel_mlp_dim=1536,
        attention_dim=None,
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        include_top=True,
        pooling="avg",
        include_preprocessing=True,
        pixel_mean=0.5,
        pixel_std=0.5,
        remat=False,
        name=None,
        dtype=None,
    ):
        arguments = dict(locals())  # first of all: what get_config gives back
        check_shared(arguments)
        image_shape = check_image_shape(image_shape)
        grid = patch_grid(image_shape, check_pair("patch_size", patch_size))
        num_layers = check_positive_int("num_layers", num_layers)
        _check_even(channel_mlp_dim)
        check_optional("attention_dim", attention_dim, check_positive_int)
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        x = PatchEmbedding(patch_size, hidden_dim, dtype=dtype, name="stem")(image)
        for i in range(num_layers):
            x = GMLPBlock(
                channel_mlp_dim,
                attention_dim,
                dropout_rate=dropout_rate,
                drop_path_rate=drop_path_rate,
                gelu_approximate=gelu_approximate,
                layer_norm_epsilon=layer_norm_epsilon,
                remat=remat,
                dtype=dtype,
                name=f"block_{i}",
            )(x)
        x = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=dtype, name="norm")(x)
        outputs = feature_head(
            x,
            grid,
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer="zeros",
        )
        super().__init__(pixels, outputs, arguments)
