"""How the published checkpoints of RepMLPNet name its weights, in both forms."""

from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted


def official_layout(num_stages, kernel_sizes):
    """The naming of the authors' code, for a number of stages and the convolutions in a block."""
    names = {
        "stem/convolution/kernel": "conv_embedding.conv.weight",
        **_norm("stem/norm", "conv_embedding.bn"),
        **_norm("norm", "head_norm"),
        "head/kernel": "head.weight",
        "head/bias": "head.bias",
    }
    for stage in range(num_stages):
        names.update(_stage_names(stage, kernel_sizes))
        names[f"downsample_{stage}/convolution/kernel"] = f"embeds.{stage}.conv.weight"
        names.update(_norm(f"downsample_{stage}/norm", f"embeds.{stage}.bn"))
    return CheckpointLayout(names, torch=True, ignored=("*.num_batches_tracked",))


def _fc3_kernel(tensor, shape):
    """A 1 x 1 convolution with one group per shareset, (S * out, in, 1, 1), as (S, in, out)."""
    groups, inputs, outputs = shape
    return tensor.reshape(groups, outputs, inputs).transpose(0, 2, 1)


def _fc3_tensor(kernel, model):
    return kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1], 1, 1)


def _fc3_bias(tensor, shape):
    return tensor.reshape(shape)


def _fc3_bias_tensor(bias, model):
    return bias.reshape(-1)


def _pointwise(name):
    """The kernel (in, out) of a dense layer from that of a 1 x 1 convolution."""
    return Converted(
        name,
        lambda tensor: tensor[:, :, 0, 0].T,
        invert=lambda kernel, model: kernel.T[:, :, None, None],
    )


def _depthwise(name):
    return Converted(
        name,
        lambda tensor: tensor.transpose(2, 3, 0, 1),
        invert=lambda kernel, model: kernel.transpose(2, 3, 0, 1),
    )


def _norm(ours, published):
    kinds = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    return {f"{ours}/{kind}": f"{published}.{theirs}" for kind, theirs in kinds.items()}


def _stage_names(stage, kernel_sizes):
    """Names of one stage's weights, in both forms."""
    ours, published = f"stage_{stage}_block_{{i}}", f"stages.{stage}.{{i}}"
    gate, block = f"{published}.repmlp_block.gp", f"{published}.repmlp_block"
    names = {
        f"{ours}/repmlp/fc3/kernel": Converted(
            f"{block}.fc3.weight", _fc3_kernel, takes_shape=True, invert=_fc3_tensor
        ),
        f"{ours}/repmlp/fc3/bias": Converted(
            f"{block}.fc3.bias", _fc3_bias, takes_shape=True, invert=_fc3_bias_tensor
        ),
        **_norm(f"{ours}/repmlp/fc3_norm", f"{block}.fc3_bn"),
        **_norm(f"{ours}/norm1", f"{published}.prebn1"),
        **_norm(f"{ours}/norm2", f"{published}.prebn2"),
    }
    for fc in ("fc1", "fc2"):
        dense, ffn = f"{ours}/repmlp/global_perceptron/{fc}", f"{published}.ffn_block.ffn_{fc}"
        names[f"{dense}/kernel"] = _pointwise(f"{gate}.{fc}.weight")
        names[f"{dense}/bias"] = f"{gate}.{fc}.bias"
        names[f"{ours}/ffn/{fc}/kernel"] = _pointwise(f"{ffn}.conv.weight")
        names.update(_norm(f"{ours}/ffn/{fc}_norm", f"{ffn}.bn"))
    for size in kernel_sizes:
        convolution, branch = f"{ours}/repmlp/conv{size}", f"{block}.repconv{size}"
        names[f"{convolution}/kernel"] = _depthwise(f"{branch}.conv.weight")
        names.update(_norm(f"{convolution}_norm", f"{branch}.bn"))
    return names
