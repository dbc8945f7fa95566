"""timm's side of `benchmarks.timm_agreement`, for an interpreter with PyTorch, not Keras.

Takes the path of an order, a JSON file; see `timm_agreement.order_for`. Prints versions as JSON.
"""

import importlib
import importlib.metadata
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.contenders.timm_mixer import declare_detection_ops


def main() -> None:
    order = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    declare_detection_ops()
    model = build(order["call"]).eval()
    images = torch.from_numpy(np.load(order["images"]).transpose(0, 3, 1, 2).copy())
    _add_noise(model, order["noise"])
    save_file(model.state_dict(), order["timm_weights"])
    _write_logits(model, images, order["timm_logits"])
    model.load_state_dict(load_file(order["keras_weights"]), strict=True)
    _write_logits(model, images, order["logits_of_keras_weights"])
    libraries = ("torch", "timm", "safetensors", "numpy")
    print(json.dumps({name: importlib.metadata.version(name) for name in libraries}))


def build(call: dict[str, Any]) -> torch.nn.Module:
    """Builds a model with the call that `save_checkpoint` wrote into a file."""
    arguments = {
        name: _named(value) if str(value).startswith("timm.") else value
        for name, value in call["arguments"].items()
    }
    return _named(call["function"])(**arguments)


def _named(name: str) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


@torch.no_grad()
def _add_noise(model: torch.nn.Module, scale: float) -> None:
    # timm initialises some classifiers with zeros: their logits would always agree.
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter += scale * torch.randn_like(parameter)


@torch.inference_mode()
def _write_logits(model: torch.nn.Module, images: torch.Tensor, path: str) -> None:
    np.save(path, model(images).numpy())


if __name__ == "__main__":
    main()
