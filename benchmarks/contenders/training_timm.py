"""A training step of timm's model of the same network on PyTorch."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.contenders.timm_mixer import read_timm
from benchmarks.contenders.training_ours import LABEL_SMOOTHING, LEARNING_RATE, WEIGHT_DECAY

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def eager(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In float32."""
    return _step(task, _as_it_is)


def compiled(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In float32, forward and backward pass through torch.compile."""
    return _step(task, torch.compile)


def eager_bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Under autocast to bfloat16, with weights in float32."""
    return _step(task, _as_it_is, torch.bfloat16)


def compiled_bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The same, forward and backward pass through torch.compile."""
    return _step(task, torch.compile, torch.bfloat16)


def _step(
    task: dict[str, Any],
    prepare: Callable[[Forward], Forward],
    dtype: torch.dtype | None = None,
) -> Callable[[], np.ndarray]:
    model, images = read_timm(task)
    model.train()
    labels = torch.from_numpy(np.load(task["labels"]))
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        fused=True,  # PyTorch's fastest form
    )

    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        cast = torch.autocast("cpu", dtype=dtype) if dtype else contextlib.nullcontext()
        with cast:
            logits = model(images)
        return torch.nn.functional.cross_entropy(
            logits.float(), labels, label_smoothing=LABEL_SMOOTHING
        )

    forward = prepare(loss_of)

    def step() -> np.ndarray:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss.detach().numpy()

    return step


def _as_it_is(forward: Forward) -> Forward:
    return forward
