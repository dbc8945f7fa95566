"""timm's model of the same network on PyTorch, as its users run it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file


def eager(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The module as it is."""
    return _forward(task, lambda model: model)


def compiled(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The module through torch.compile with its default settings."""
    return _forward(task, torch.compile)


def _forward(
    task: dict[str, Any],
    prepare: Callable[[torch.nn.Module], Callable[[torch.Tensor], torch.Tensor]],
) -> Callable[[], np.ndarray]:
    torch.set_num_threads(task["threads"])
    declare_detection_ops()
    # It imports this module.
    from benchmarks.timm_side import build

    model = build(task["timm"]).eval()
    model.load_state_dict(load_file(task["weights"]), strict=True)
    model = prepare(model)
    images = np.load(task["images"]).transpose(
        0, 3, 1, 2
    )  # channels first for PyTorch, outside the timing
    images = torch.from_numpy(np.ascontiguousarray(images))

    @torch.inference_mode()
    def forward() -> np.ndarray:
        return model(images).numpy()

    return forward


def declare_detection_ops() -> None:
    """Makes a torchvision without its compiled operators importable.

    timm imports torchvision. If the wheels of PyTorch and torchvision were built for different
    devices (CPU and CUDA), torchvision's compiled operators do not load, and its import fails on
    two of them, non-maximum suppression for detectors. This declares them without defining them: a
    call would still fail, but classifiers never make one.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", schema)
