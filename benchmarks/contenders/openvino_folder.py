"""Our model, exported for OpenVINO: normalised images in, logits out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.exported import open_openvino


def float32(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In float32."""
    return _forward(task, "openvino", "f32")


def bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The same folder in bfloat16."""
    return _forward(task, "openvino", "bf16")


def int8(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Quantized by NNCF, the rest in float32."""
    return _forward(task, "openvino_int8", "f32")


def _forward(task: dict[str, Any], name: str, precision: str) -> Callable[[], np.ndarray]:
    run = open_openvino(task[name], task["threads"], precision)
    images = np.load(task["images"])
    return lambda: run(images)
