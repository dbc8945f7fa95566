"""ConvMixer ("Patches Are All You Need?", Trockman and Kolter, 2022, arXiv:2201.09792).

The convolutional end of the scale: patches as in a Mixer, tokens mixed by a depthwise convolution
with a residual connection, channels by a 1 x 1 convolution without one. An activation function and
a BatchNorm follow every convolution.
"""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_choice, check_positive_int
from keras_mlp.layers import gelu
from keras_mlp.layers.depthwise_conv2d import DepthwiseConv2D
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.patch_convolution import PatchConvolution
from keras_mlp.layers.token_grid import Grids
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
from keras_mlp.models.constructor import checked
from keras_mlp.models.timm_model import TimmModel
from keras_mlp.models.token_mixing import TokenMixing
from keras_mlp.typing import Config, DTypePolicy, ImageShape, Pair, PerChannel, Shape, Tensor

_ACTIVATIONS = {"gelu": gelu, "relu": keras.activations.relu}


def _check_odd(name: str, value: Any) -> int:
    side = check_positive_int(name, value)
    if side % 2 == 0:
        raise ValueError(f"`{name}` must be odd, got {side}.")
    return side


_CHECKS = {
    "kernel_size": _check_odd,
    "activation": lambda name, value: check_choice(name, value, _ACTIVATIONS),
}


@keras.saving.register_keras_serializable("keras_mlp")
class ConvMixerBlock(Block):
    """A depthwise convolution over tokens, then a 1 x 1 convolution over channels.

    Args:
        kernel_size: side of the depthwise convolution, odd.
        activation: after both convolutions, "gelu" (exact) or "relu".
        **kwargs: as for `Block`.

    Shapes: (B, h, w, C) -> (B, h, w, C).

    >>> tuple(ConvMixerBlock(kernel_size=3)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    is_additive = False

    def __init__(self, kernel_size: int = 9, activation: str = "gelu", **kwargs: Any) -> None:
        super().__init__(locals(), **_CHECKS)

    def build(self, input_shape: Shape) -> None:
        policy, channels, area = self.dtype_policy, input_shape[-1], self.kernel_size**2
        common = {"data_format": "channels_last", "activation": _ACTIVATIONS[self.activation]}
        self.depthwise = DepthwiseConv2D(
            self.kernel_size,
            padding="same",
            depthwise_initializer=torch_uniform(area),
            bias_initializer=torch_uniform(area),
            dtype=policy,
            name="depthwise",
            **common,
        )
        self.depthwise_norm = torch_batch_norm(policy, "depthwise_norm")
        self.pointwise = keras.layers.Conv2D(
            channels,
            1,
            kernel_initializer=torch_uniform(channels),
            bias_initializer=torch_uniform(channels),
            dtype=policy,
            name="pointwise",
            **common,
        )
        self.pointwise_norm = torch_batch_norm(policy, "pointwise_norm")
        for layer in (self.depthwise, self.depthwise_norm, self.pointwise, self.pointwise_norm):
            layer.build(input_shape)

    def residuals(
        self, x: Tensor, training: bool | None, grids: Grids | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        tokens = self.token_mixing(x, training, grids)
        x = x + tokens
        channels = self.channel_mixing(x, training)  # without a residual connection
        return channels, {"token_mixing": tokens, "channel_mixing": channels}

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        return self.depthwise_norm(self.depthwise(x), training=training)

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.pointwise_norm(self.pointwise(x), training=training)


def _size(
    image_side: int,
    patch_size: int,
    num_layers: int,
    hidden_dim: int,
    kernel_size: int,
    activation: str = "gelu",
) -> Config:
    own = {"kernel_size": kernel_size, "activation": activation}
    return size(image_side, patch_size, num_layers, hidden_dim, **own)


_TIMM: dict[str, str | Converted] = {
    "stem": "stem.0",
    "stem_norm": "stem.2",
    "block_{i}/depthwise": Converted(
        "blocks.{i}.0.fn.0",
        lambda tensor: tensor.transpose(2, 3, 0, 1),
        invert=lambda kernel, model: kernel.transpose(2, 3, 0, 1),
    ),
    "block_{i}/depthwise_norm": "blocks.{i}.0.fn.2",
    "block_{i}/pointwise": "blocks.{i}.1",
    "block_{i}/pointwise_norm": "blocks.{i}.3",
    "head": "head",
}


@keras.saving.register_keras_serializable("keras_mlp")
class ConvMixer(VisionModel):
    """ConvMixer (Trockman and Kolter, arXiv:2201.09792), as a functional Keras model.

    No dropout and no stochastic depth. BatchNorm momentum is 0.9 and epsilon 1e-5 throughout.

    Args:
        kernel_size: side of the depthwise convolutions, odd.
        activation: after every convolution, "gelu" (exact) or "relu".
        All others: see `VisionModel`.

    >>> model = ConvMixer.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "256/8": _size(32, 1, 8, 256, 9),
        "768/32": _size(224, 7, 32, 768, 7, "relu"),
        "1024/20": _size(224, 14, 20, 1024, 9),
        "1536/20": _size(224, 7, 20, 1536, 9),
        "nano/4": _size(32, 4, 15, 256, 5),
        "pico/4": _size(28, 4, 12, 128, 5),
        "pico/2": _size(8, 2, 7, 128, 3),
    }

    token_mixing = TokenMixing(
        layers=("depthwise",),
        maps=lambda block: ops.transpose(block.depthwise.kernel[..., 0], (2, 0, 1)),
        parts={
            "depthwise": "token_mixing",
            "pointwise": "channel_mixing",
            "stem_norm": "stem",
        },
    )

    input_kernel = "stem/kernel"
    input_offset = ("stem/bias", 1)

    checkpoint_layouts = {
        "timm": CheckpointLayout(_TIMM, torch=True, ignored=("*.num_batches_tracked",))
    }

    timm = TimmModel(
        {
            "768/32": "convmixer_768_32",
            "1024/20": "convmixer_1024_20_ks9_p14",
            "1536/20": "convmixer_1536_20",
        },
        "timm.models.convmixer.ConvMixer",
        lambda model: {
            "dim": model.hidden_dim,
            "depth": model.num_layers,
            "kernel_size": model.kernel_size,
            "patch_size": model.patch_size,
        },
        # timm names no class for ReLU: only its own model has it.
        has=lambda model: model.activation == "gelu" or model.hidden_dim == 768,
        takes_image_size=False,
    )

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 7,
        num_layers: int = 20,
        hidden_dim: int = 1536,
        kernel_size: int = 9,
        activation: str = "gelu",
        num_classes: int = 1000,
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
        arguments = checked(locals(), **_CHECKS)
        pixels, x = image_input(arguments)
        height, width = arguments.patch_size
        inputs = height * width * x.shape[-1]
        x = PatchConvolution(
            hidden_dim,
            arguments.patch_size,
            strides=arguments.patch_size,
            data_format="channels_last",
            activation=_ACTIVATIONS[activation],
            kernel_initializer=torch_uniform(inputs),
            bias_initializer=torch_uniform(inputs),
            dtype=arguments.dtype,
            name="stem",
        )(x)
        x = torch_batch_norm(arguments.dtype, "stem_norm")(x)
        for i in range(num_layers):
            x = ConvMixerBlock(**arguments.of(ConvMixerBlock), name=f"block_{i}")(x)
        initializer = torch_uniform(hidden_dim)
        outputs = feature_head(
            x,
            arguments,
            kernel_initializer=initializer,
            bias_initializer=initializer.clone(),
        )
        super().__init__(pixels, outputs, arguments)

    def arguments_of_copies(self, copies: int) -> Config:
        self._refuse_copies("the pixels at their borders")
