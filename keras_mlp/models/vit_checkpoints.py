"""How published checkpoints name the weights of the Vision Transformer."""

import numpy as np

from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted


def _third(index):
    """One of queries, keys and values, which timm keeps as one tensor, outputs first."""
    return lambda fused: np.split(fused, 3)[index].T


def _outputs_first(kernel, model):
    return kernel.T


def _inputs_first(kernel):
    """(C, heads, d) as (C, heads * d)."""
    return kernel.reshape(kernel.shape[0], -1)


def _heads_last(kernel, model):
    """(C, heads * d) as (C, heads, d); of a bias (heads * d) as (heads, d)."""
    return kernel.reshape(*kernel.shape[:-1], model.num_heads, -1)


def _outputs_last(kernel):
    """(heads, d, C) as (heads * d, C)."""
    return kernel.reshape(-1, kernel.shape[-1])


def _heads_first(kernel, model):
    """(heads * d, C) as (heads, d, C)."""
    return kernel.reshape(model.num_heads, -1, kernel.shape[-1])


def _with_class_position(table, shape):
    """big_vision adds positions before the class token, which thus has none: zeros."""
    if table.shape[1] + 1 != shape[1]:
        return table
    return np.concatenate([np.zeros_like(table[:, :1]), table], axis=1)


def _without_class_position(table, model):
    if not model.class_token:
        return table
    if table[:, 0].any():
        raise ValueError("the class token of the model has a position, which is not 0")
    return table[:, 1:]


def _heads_that_differ(attention):
    """A check of the number of heads, which no shape shows once the kernels are flat."""

    def check(model, tensors):
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


def _google(attention, norm2, mlp, positions):
    """One of the namings of Google's `.npz` files; they differ in these four names."""
    block = "Transformer/encoderblock_{i}"
    names = {
        "stem/projection/kernel": "embedding/kernel",
        "stem/projection/bias": "embedding/bias",
        "class_token/token": "cls",
        "position_embedding/embeddings": positions,
        "block_{i}/norm1/gamma": f"{block}/LayerNorm_0/scale",
        "block_{i}/norm1/beta": f"{block}/LayerNorm_0/bias",
        "block_{i}/attention/projection/kernel": Converted(
            f"{block}/{attention}/out/kernel", _outputs_last, invert=_heads_first
        ),
        "block_{i}/attention/projection/bias": f"{block}/{attention}/out/bias",
        "block_{i}/norm2/gamma": f"{block}/{norm2}/scale",
        "block_{i}/norm2/beta": f"{block}/{norm2}/bias",
        "block_{i}/channel_mlp/fc1/kernel": f"{block}/{mlp}/Dense_0/kernel",
        "block_{i}/channel_mlp/fc1/bias": f"{block}/{mlp}/Dense_0/bias",
        "block_{i}/channel_mlp/fc2/kernel": f"{block}/{mlp}/Dense_1/kernel",
        "block_{i}/channel_mlp/fc2/bias": f"{block}/{mlp}/Dense_1/bias",
        "norm/gamma": "Transformer/encoder_norm/scale",
        "norm/beta": "Transformer/encoder_norm/bias",
        "pre_logits/kernel": "pre_logits/kernel",
        "pre_logits/bias": "pre_logits/bias",
        "head/kernel": "head/kernel",
        "head/bias": "head/bias",
    }
    for part in ("query", "key", "value"):
        ours, theirs = f"block_{{i}}/attention/{part}", f"{block}/{attention}/{part}"
        names[f"{ours}/kernel"] = Converted(f"{theirs}/kernel", _inputs_first, invert=_heads_last)
        names[f"{ours}/bias"] = Converted(f"{theirs}/bias", np.ravel, invert=_heads_last)
    return CheckpointLayout(names, check=_heads_that_differ(attention))


def _timm():
    names = {
        "stem/projection/kernel": "patch_embed.proj.weight",
        "stem/projection/bias": "patch_embed.proj.bias",
        "class_token/token": "cls_token",
        "position_embedding/embeddings": "pos_embed",
        "block_{i}/norm1/gamma": "blocks.{i}.norm1.weight",
        "block_{i}/norm1/beta": "blocks.{i}.norm1.bias",
        "block_{i}/attention/projection/kernel": "blocks.{i}.attn.proj.weight",
        "block_{i}/attention/projection/bias": "blocks.{i}.attn.proj.bias",
        "block_{i}/layer_scale1/gamma": "blocks.{i}.ls1.gamma",
        "block_{i}/norm2/gamma": "blocks.{i}.norm2.weight",
        "block_{i}/norm2/beta": "blocks.{i}.norm2.bias",
        "block_{i}/channel_mlp/fc1/kernel": "blocks.{i}.mlp.fc1.weight",
        "block_{i}/channel_mlp/fc1/bias": "blocks.{i}.mlp.fc1.bias",
        "block_{i}/channel_mlp/fc2/kernel": "blocks.{i}.mlp.fc2.weight",
        "block_{i}/channel_mlp/fc2/bias": "blocks.{i}.mlp.fc2.bias",
        "block_{i}/layer_scale2/gamma": "blocks.{i}.ls2.gamma",
        "norm/gamma": "norm.weight",
        "norm/beta": "norm.bias",
        "fc_norm/gamma": "fc_norm.weight",
        "fc_norm/beta": "fc_norm.bias",
        "pre_logits/kernel": "pre_logits.fc.weight",
        "pre_logits/bias": "pre_logits.fc.bias",
        "head/kernel": "head.weight",
        "head/bias": "head.bias",
    }
    for index, part in enumerate(("query", "key", "value")):
        for kind, tensor in (("kernel", "weight"), ("bias", "bias")):
            names[f"block_{{i}}/attention/{part}/{kind}"] = Converted(
                f"blocks.{{i}}.attn.qkv.{tensor}", _third(index), invert=_outputs_first
            )
    return CheckpointLayout(names, torch=True)


LAYOUTS = {
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
