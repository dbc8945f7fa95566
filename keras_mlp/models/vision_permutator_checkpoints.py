"""How the published checkpoints of Vision Permutator name its weights."""

from keras_mlp.models.checkpoint_layout import CheckpointLayout

_TOP_NAMES = {
    "stem/projection/kernel": "patch_embed.proj.weight",
    "stem/projection/bias": "patch_embed.proj.bias",
    "norm/gamma": "norm.weight",
    "norm/beta": "norm.bias",
    "head/kernel": "head.weight",
    "head/bias": "head.bias",
}
_BLOCK_NAMES = {
    "norm1/gamma": "norm1.weight",
    "norm1/beta": "norm1.bias",
    "permute_mlp/channel/kernel": "attn.mlp_c.weight",
    "permute_mlp/channel/bias": "attn.mlp_c.bias",
    "permute_mlp/height/kernel": "attn.mlp_h.weight",
    "permute_mlp/height/bias": "attn.mlp_h.bias",
    "permute_mlp/width/kernel": "attn.mlp_w.weight",
    "permute_mlp/width/bias": "attn.mlp_w.bias",
    "permute_mlp/reweight/fc1/kernel": "attn.reweight.fc1.weight",
    "permute_mlp/reweight/fc1/bias": "attn.reweight.fc1.bias",
    "permute_mlp/reweight/fc2/kernel": "attn.reweight.fc2.weight",
    "permute_mlp/reweight/fc2/bias": "attn.reweight.fc2.bias",
    "permute_mlp/projection/kernel": "attn.proj.weight",
    "permute_mlp/projection/bias": "attn.proj.bias",
    "norm2/gamma": "norm2.weight",
    "norm2/beta": "norm2.bias",
    "channel_mlp/fc1/kernel": "mlp.fc1.weight",
    "channel_mlp/fc1/bias": "mlp.fc1.bias",
    "channel_mlp/fc2/kernel": "mlp.fc2.weight",
    "channel_mlp/fc2/bias": "mlp.fc2.bias",
}


def official_layout(transitions):
    """The naming of the authors' code.

    Its numbers count stages and transitions together, so they depend on the size of the model.

    Args:
        transitions: for each stage whether a convolution stands behind it.
    """
    names, index = dict(_TOP_NAMES), 0
    for stage, has_transition in enumerate(transitions):
        for ours, published in _BLOCK_NAMES.items():
            names[f"stage_{stage}_block_{{i}}/{ours}"] = f"network.{index}.{{i}}.{published}"
        index += 1
        if has_transition:
            for kind, published in (("kernel", "weight"), ("bias", "bias")):
                ours = f"downsample_{stage}/projection/{kind}"
                names[ours] = f"network.{index}.proj.{published}"
            index += 1
    return CheckpointLayout(names, torch=True)
