"""Writes the files next to it with PyTorch, which the tests themselves do not need.

python tests/weights/torch/make.py    (written with PyTorch 2.13.0)
"""

import argparse
import collections
import os
import pathlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent


class Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch code_was_run",)


def tensors():
    """Views, shared storage and every dtype that a checkpoint may have."""
    matrix = torch.arange(12.0).reshape(3, 4)
    return collections.OrderedDict(
        matrix=matrix,
        transposed=matrix.T,
        row=matrix[1],
        every_second=torch.arange(6.0)[::2],
        half=matrix.half(),
        bfloat16=matrix.bfloat16() / 3,
        double=matrix.double(),
        parameter=torch.nn.Parameter(matrix + 1),
        count=torch.tensor(7),
        flags=torch.tensor([True, False]),
        empty=torch.zeros(0, 3),
    )


def mixer():
    """A Mixer of one block, in timm's naming; tests/weights/test_torch_files.py knows the numbers.

    Channels 4, patch 2, image 4 x 6, token MLP 5, channel MLP 7, classes 3.
    """
    shapes = {
        "stem.proj.weight": (4, 3, 2, 2),
        "stem.proj.bias": (4,),
        "blocks.0.norm1.weight": (4,),
        "blocks.0.norm1.bias": (4,),
        "blocks.0.mlp_tokens.fc1.weight": (5, 6),
        "blocks.0.mlp_tokens.fc1.bias": (5,),
        "blocks.0.mlp_tokens.fc2.weight": (6, 5),
        "blocks.0.mlp_tokens.fc2.bias": (6,),
        "blocks.0.norm2.weight": (4,),
        "blocks.0.norm2.bias": (4,),
        "blocks.0.mlp_channels.fc1.weight": (7, 4),
        "blocks.0.mlp_channels.fc1.bias": (7,),
        "blocks.0.mlp_channels.fc2.weight": (4, 7),
        "blocks.0.mlp_channels.fc2.bias": (4,),
        "norm.weight": (4,),
        "norm.bias": (4,),
        "head.weight": (3, 4),
        "head.bias": (3,),
    }
    return {
        name: torch.from_numpy(np.arange(np.prod(shape), dtype="float32").reshape(shape) + index)
        for index, (name, shape) in enumerate(shapes.items())
    }


def main():
    state = {"optimizer": {"param_groups": [{"lr": 0.1, "params": [0]}]}, "epoch": 3}
    state["args"] = argparse.Namespace(lr=0.1, name="toy")
    weights = {"w": torch.ones(2)}
    saved = {
        "tensors": tensors(),
        "code": {"model": weights, "extra": Code()},
        "model": {"model": weights, **state},
        "state_dict": {"state_dict": weights, **state},
        "mixer": {"model": {f"module.{name}": each for name, each in mixer().items()}, **state},
        "list": [weights["w"]],
        "mixed": {**weights, "epoch": 3},
    }
    for name, each in saved.items():
        if name != "mixer":  # one member of a zip archive each: the file would be too large
            torch.save(each, FOLDER / f"{name}.pth")
        torch.save(each, FOLDER / f"{name}_stream.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
