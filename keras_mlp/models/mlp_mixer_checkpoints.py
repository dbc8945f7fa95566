"""How published checkpoints name the weights of MLP-Mixer."""

import re

import numpy as np

from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted

_GOOGLE = {
    "stem/projection/kernel": "stem/kernel",
    "stem/projection/bias": "stem/bias",
    "block_{i}/norm1/gamma": "MixerBlock_{i}/LayerNorm_0/scale",
    "block_{i}/norm1/beta": "MixerBlock_{i}/LayerNorm_0/bias",
    "block_{i}/token_mlp/fc1/kernel": "MixerBlock_{i}/token_mixing/Dense_0/kernel",
    "block_{i}/token_mlp/fc1/bias": "MixerBlock_{i}/token_mixing/Dense_0/bias",
    "block_{i}/token_mlp/fc2/kernel": "MixerBlock_{i}/token_mixing/Dense_1/kernel",
    "block_{i}/token_mlp/fc2/bias": "MixerBlock_{i}/token_mixing/Dense_1/bias",
    "block_{i}/norm2/gamma": "MixerBlock_{i}/LayerNorm_1/scale",
    "block_{i}/norm2/beta": "MixerBlock_{i}/LayerNorm_1/bias",
    "block_{i}/channel_mlp/fc1/kernel": "MixerBlock_{i}/channel_mixing/Dense_0/kernel",
    "block_{i}/channel_mlp/fc1/bias": "MixerBlock_{i}/channel_mixing/Dense_0/bias",
    "block_{i}/channel_mlp/fc2/kernel": "MixerBlock_{i}/channel_mixing/Dense_1/kernel",
    "block_{i}/channel_mlp/fc2/bias": "MixerBlock_{i}/channel_mixing/Dense_1/bias",
    "norm/gamma": "pre_head_layer_norm/scale",
    "norm/beta": "pre_head_layer_norm/bias",
    "head/kernel": "head/kernel",
    "head/bias": "head/bias",
}

_TIMM = {
    "stem/projection/kernel": "stem.proj.weight",
    "stem/projection/bias": "stem.proj.bias",
    "block_{i}/norm1/gamma": "blocks.{i}.norm1.weight",
    "block_{i}/norm1/beta": "blocks.{i}.norm1.bias",
    "block_{i}/token_mlp/fc1/kernel": "blocks.{i}.mlp_tokens.fc1.weight",
    "block_{i}/token_mlp/fc1/bias": "blocks.{i}.mlp_tokens.fc1.bias",
    "block_{i}/token_mlp/fc2/kernel": "blocks.{i}.mlp_tokens.fc2.weight",
    "block_{i}/token_mlp/fc2/bias": "blocks.{i}.mlp_tokens.fc2.bias",
    "block_{i}/norm2/gamma": "blocks.{i}.norm2.weight",
    "block_{i}/norm2/beta": "blocks.{i}.norm2.bias",
    "block_{i}/channel_mlp/fc1/kernel": "blocks.{i}.mlp_channels.fc1.weight",
    "block_{i}/channel_mlp/fc1/bias": "blocks.{i}.mlp_channels.fc1.bias",
    "block_{i}/channel_mlp/fc2/kernel": "blocks.{i}.mlp_channels.fc2.weight",
    "block_{i}/channel_mlp/fc2/bias": "blocks.{i}.mlp_channels.fc2.bias",
    "norm/gamma": "norm.weight",
    "norm/beta": "norm.bias",
    "head/kernel": "head.weight",
    "head/bias": "head.bias",
}

_LEGACY_NORM = re.compile(r"(Mixer/encoderblock_\d+/LayerNorm_)(\d+)(/.*)")


def _legacy_names():
    block = "Mixer/encoderblock_{i}"
    names = {
        **_GOOGLE,
        "stem/projection/kernel": "embedding/kernel",
        "stem/projection/bias": "embedding/bias",
        "norm/gamma": "Mixer/encoder_norm/scale",
        "norm/beta": "Mixer/encoder_norm/bias",
    }
    for index in (1, 2):
        for kind, published in (("gamma", "scale"), ("beta", "bias")):
            ours = f"block_{{i}}/norm{index}/{kind}"
            names[ours] = f"{block}/LayerNorm_{index - 1}/{published}"
        for mlp in ("token", "channel"):
            for kind in ("kernel", "bias"):
                published = f"{block}/{mlp}_mixing_phase_0/{kind}{index}"
                # Axes of length 1 may surround them.
                names[f"block_{{i}}/{mlp}_mlp/fc{index}/{kind}"] = Converted(published, np.squeeze)
    return names


def _with_norms_counted_alone(tensors):
    """The LayerNorms of a block as 0 and 1: that code numbered them together with other layers."""
    numbers = {}
    for match in filter(None, map(_LEGACY_NORM.fullmatch, tensors)):
        numbers.setdefault(match[1], set()).add(int(match[2]))

    def renumbered(match):
        return f"{match[1]}{sorted(numbers[match[1]]).index(int(match[2]))}{match[3]}"

    return {_LEGACY_NORM.sub(renumbered, name): tensor for name, tensor in tensors.items()}


LAYOUTS = {
    "google": CheckpointLayout(_GOOGLE),
    # Before Google's released code; big_vision still reads it.
    "google_legacy": CheckpointLayout(_legacy_names(), prepare=_with_norms_counted_alone),
    "timm": CheckpointLayout(_TIMM, torch=True),
}
