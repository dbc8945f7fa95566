"""A plain checkpoint under the other names and shapes in which the same weights are published."""

import re

import numpy as np

_BLOCK = re.compile(r"/encoderblock_(\d+)/")


def below(prefix, tensors):
    """As a file that keeps the model under a prefix, beside something else."""
    beside = {"params/img/": "params/txt/head", "params/": "opt/0", "opt/target/": "opt/state/step"}
    return {prefix + name: tensor for name, tensor in tensors.items()} | (
        {beside[prefix]: np.zeros(3, "float32")} if prefix else {}
    )


def wrapped(tensors):
    """As PyTorch's data-parallel wrapper leaves names."""
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def stacked(tensors):
    """Google's blocks as one tensor each, with a first axis over the blocks."""
    plain, blocks = {}, {}
    for name, tensor in tensors.items():
        if match := _BLOCK.search(name):
            stacks = blocks.setdefault(_BLOCK.sub("/encoderblock/", name), {})
            stacks[int(match[1])] = tensor
        else:
            plain[name] = tensor
    return plain | {
        name: np.stack([parts[i] for i in range(len(parts))]) for name, parts in blocks.items()
    }


def legacy_mixer(tensors, second_norm):
    """Google's Mixer as before the code was released.

    Args:
        tensors: in the naming "google".
        second_norm: number that the second LayerNorm of a block has there.
    """
    renamed = {}
    for name, tensor in tensors.items():
        name = re.sub(r"^stem/", "embedding/", name)
        name = name.replace("pre_head_layer_norm", "Mixer/encoder_norm")
        name = re.sub(r"^MixerBlock_(\d+)/", r"Mixer/encoderblock_\1/", name)
        name = name.replace("/LayerNorm_1/", f"/LayerNorm_{second_norm}/")
        dense = re.fullmatch(r"(.*)_mixing/Dense_(\d)/(\w+)", name)
        if dense:
            name = f"{dense[1]}_mixing_phase_0/{dense[3]}{int(dense[2]) + 1}"
            tensor = tensor[None, ..., None]  # axes of length 1 surround them
        renamed[name] = tensor
    return renamed
