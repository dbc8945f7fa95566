"""Renames and reshapes a plain checkpoint as the same weights are published elsewhere."""

import re

import numpy as np

_BLOCK = re.compile(r"/encoderblock_(\d+)/")


def below(prefix, tensors):
    """As in a file that has the model under a prefix, among other things."""
    beside = {"params/img/": "params/txt/head", "params/": "opt/0", "opt/target/": "opt/state/step"}
    return {prefix + name: tensor for name, tensor in tensors.items()} | (
        {beside[prefix]: np.zeros(3, "float32")} if prefix else {}
    )


def wrapped(tensors):
    """With the prefix of PyTorch's data-parallel wrapper."""
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def stacked(tensors):
    """Google's stacked blocks: one tensor for all blocks, which are its first axis."""
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
    """Google's Mixer as named before the code was released.

    Args:
        tensors: in the naming "google".
        second_norm: number of a block's second LayerNorm in that naming.
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
            tensor = tensor[None, ..., None]  # they have axes of length 1 around them
        renamed[name] = tensor
    return renamed
