"""The task of all contenders: one Mixer's sizes, weights and a batch of images, in files."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import safetensors.numpy


@dataclasses.dataclass(frozen=True)
class Task:
    """Inference on one batch.

    Attributes:
        sizes: arguments of `keras_mlp.MLPMixer`, `image_shape` and `num_classes` included.
        weights: path of a `.safetensors` file in timm's naming.
        images: path of a `.npy` file, normalised images (B, H, W, channels), float32.
        threads: number of threads.
        cpus: numbers of the CPUs to run on.
    """

    sizes: dict[str, Any]
    weights: str
    images: str
    threads: int
    cpus: list[int]


def write_mixer_task(
    folder: pathlib.Path, sizes: dict[str, Any], batch_size: int, cpus: Sequence[int], seed: int = 0
) -> Task:
    """Writes random weights and images into a folder.

    Args:
        folder: path of an existing folder.
        sizes: as in `Task`.
        batch_size: B.
        cpus: numbers of the CPUs to run on, one per thread.
        seed: seed of the random numbers.

    Returns:
        A `Task`.
    """
    rng = np.random.default_rng(seed)
    weights = {name: _draw(rng, name, shape) for name, shape in mixer_tensors(**sizes).items()}
    images = rng.standard_normal((batch_size, *sizes["image_shape"]), "float32")
    safetensors.numpy.save_file(weights, folder / "weights.safetensors")
    np.save(folder / "images.npy", images)
    return Task(
        dict(sizes),
        str(folder / "weights.safetensors"),
        str(folder / "images.npy"),
        len(cpus),
        list(cpus),
    )


def mixer_tensors(
    *,
    image_shape: tuple[int, int, int],
    patch_size: int,
    num_layers: int,
    hidden_dim: int,
    token_mlp_dim: int,
    channel_mlp_dim: int,
    num_classes: int,
) -> dict[str, tuple[int, ...]]:
    """Names and PyTorch shapes of a Mixer's tensors in timm."""
    height, width, channels = image_shape
    tokens = (height // patch_size) * (width // patch_size)
    shapes: dict[str, tuple[int, ...]] = {
        "stem.proj.weight": (hidden_dim, channels, patch_size, patch_size),
        "stem.proj.bias": (hidden_dim,),
    }
    for i in range(num_layers):
        block = f"blocks.{i}"
        shapes |= _norm(f"{block}.norm1", hidden_dim)
        shapes |= _linear(f"{block}.mlp_tokens.fc1", tokens, token_mlp_dim)
        shapes |= _linear(f"{block}.mlp_tokens.fc2", token_mlp_dim, tokens)
        shapes |= _norm(f"{block}.norm2", hidden_dim)
        shapes |= _linear(f"{block}.mlp_channels.fc1", hidden_dim, channel_mlp_dim)
        shapes |= _linear(f"{block}.mlp_channels.fc2", channel_mlp_dim, hidden_dim)
    return shapes | _norm("norm", hidden_dim) | _linear("head", hidden_dim, num_classes)


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws a random tensor: a swapped or forgotten one then changes the logits."""
    noise = rng.standard_normal(shape, "float32")
    if len(shape) > 1:
        return noise / np.float32(np.sqrt(np.prod(shape[1:])))
    is_scale = "norm" in name and name.endswith("weight")
    return np.float32(0.1) * noise + np.float32(is_scale)
