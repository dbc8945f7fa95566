"""One change at a time: norm and token mixing of a Mixer, and the pooling of a ViT.

    python -m training.compare --config training/configs/ablations_fashion_mnist.py \\
        --workdir runs/ablations --seeds 0 1 2

Each function is a model for `training.compare`. The Mixers are built from the public layers, as
MLPMixer has one norm and one kind of token mixing.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

import keras_mlp
from keras_mlp.layers import MLP, Affine, PatchEmbedding, PixelNormalization, TokenMLP
from keras_mlp.typing import ImageShape, Pair, Tensor

# The sizes of the variant pico/4.
BLOCKS, CHANNELS, TOKEN_MLP, CHANNEL_MLP = 6, 64, 64, 256


def mixer_layer_norm(
    image_shape: ImageShape, num_classes: int, patch_size: Pair = 4
) -> keras.Model:
    """MLP-Mixer itself."""
    return _mixer("mixer_layer_norm", image_shape, num_classes, patch_size, norm=_layer_norm)


def mixer_batch_norm(
    image_shape: ImageShape, num_classes: int, patch_size: Pair = 4
) -> keras.Model:
    """MLP-Mixer with BatchNorm, whose statistics are those of a batch instead of a token."""
    return _mixer("mixer_batch_norm", image_shape, num_classes, patch_size, norm=_batch_norm)


def mixer_affine(image_shape: ImageShape, num_classes: int, patch_size: Pair = 4) -> keras.Model:
    """MLP-Mixer with ResMLP's Affine, which computes no statistics."""
    return _mixer("mixer_affine", image_shape, num_classes, patch_size, norm=Affine)


def mixer_linear_tokens(
    image_shape: ImageShape, num_classes: int, patch_size: Pair = 4
) -> keras.Model:
    """MLP-Mixer with one linear layer over tokens, as in ResMLP, in place of the token MLP."""
    return _mixer(
        "mixer_linear_tokens",
        image_shape,
        num_classes,
        patch_size,
        norm=_layer_norm,
        mix_tokens=_linear_over_tokens,
    )


def vit_class_token(image_shape: ImageShape, num_classes: int, patch_size: Pair = 4) -> keras.Model:
    """ViT that classifies its class token."""
    return _vit(image_shape, num_classes, patch_size, class_token=True, pooling="token")


def vit_mean(image_shape: ImageShape, num_classes: int, patch_size: Pair = 4) -> keras.Model:
    """ViT that classifies the mean over its tokens, without a class token."""
    return _vit(image_shape, num_classes, patch_size, class_token=False, pooling="avg")


def _vit(image_shape: ImageShape, num_classes: int, patch_size: Pair, **pool: Any) -> keras.Model:
    return keras_mlp.ViT.from_variant(
        "pico/4", image_shape=image_shape, num_classes=num_classes, patch_size=patch_size, **pool
    )


def _layer_norm() -> keras.Layer:
    return layers.LayerNormalization(epsilon=1e-6)


def _batch_norm() -> keras.Layer:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def _token_mlp(x: Tensor) -> Tensor:
    return TokenMLP(TOKEN_MLP)(x)


def _linear_over_tokens(x: Tensor) -> Tensor:
    tokens = x.shape[1]
    return layers.Permute((2, 1))(layers.Dense(tokens)(layers.Permute((2, 1))(x)))


def _mixer(
    name: str,
    image_shape: ImageShape,
    num_classes: int,
    patch_size: Pair,
    norm: Callable[[], keras.Layer],
    mix_tokens: Callable[[Tensor], Tensor] = _token_mlp,
) -> keras.Model:
    pixels = keras.Input(image_shape, name="pixels")
    x = PatchEmbedding(patch_size, CHANNELS)(PixelNormalization(0.5, 0.5)(pixels))
    for _ in range(BLOCKS):
        x = layers.Add()([x, mix_tokens(norm()(x))])
        x = layers.Add()([x, MLP(CHANNEL_MLP)(norm()(x))])
    x = layers.GlobalAveragePooling1D()(norm()(x))
    logits = layers.Dense(num_classes, kernel_initializer="zeros", dtype="float32", name="head")(x)
    return keras.Model(pixels, logits, name=name)
