"""timm's model of the same network on PyTorch, as its users run it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

Model = Callable[[torch.Tensor], torch.Tensor]


def eager(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The module as it is."""
    return _forward(task, _as_it_is)


def compiled(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The module through torch.compile with its default settings, which freeze no weights."""
    return _forward(task, torch.compile)


def frozen(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Through torch.compile, which takes the weights as constants and may reorder them."""
    return _forward(task, _frozen)


def eager_bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The module with weights and images in bfloat16."""
    return _forward(task, _as_it_is, torch.bfloat16)


def compiled_bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The same through torch.compile with its default settings."""
    return _forward(task, torch.compile, torch.bfloat16)


def frozen_bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The same with the weights as constants."""
    return _forward(task, _frozen, torch.bfloat16)


def int8(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Linear layers in int8 by torchao, activations quantized on the fly; torch.compile."""
    return _forward(task, _int8)


def read_timm(task: dict[str, Any]) -> tuple[torch.nn.Module, torch.Tensor]:
    """The module with the weights of a task, and its images, channels first."""
    torch.set_num_threads(task["threads"])
    declare_detection_ops()
    # It imports this module.
    from benchmarks.timm_side import build

    model = build(task["timm"])
    model.load_state_dict(load_file(task["weights"]), strict=True)
    images = np.load(task["images"]).transpose(0, 3, 1, 2)
    return model, torch.from_numpy(np.ascontiguousarray(images))


def _forward(
    task: dict[str, Any],
    prepare: Callable[[torch.nn.Module], Model],
    dtype: torch.dtype = torch.float32,
) -> Callable[[], np.ndarray]:
    model, images = read_timm(task)
    run, images = prepare(model.eval().to(dtype)), images.to(dtype)

    @torch.inference_mode()
    def forward() -> np.ndarray:
        return run(images).float().numpy()

    return forward


def _int8(model: torch.nn.Module) -> Model:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return torch.compile(model)


def _as_it_is(model: torch.nn.Module) -> Model:
    return model


def _frozen(model: torch.nn.Module) -> Model:
    import torch._inductor.config

    torch._inductor.config.freezing = True
    return torch.compile(model)


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
