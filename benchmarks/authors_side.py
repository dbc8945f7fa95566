"""The authors' side of `benchmarks.authors_agreement`, for an interpreter with PyTorch, not Keras.

Takes the path of an order, a JSON file; see `authors_agreement.order_for`. Prints versions as JSON.
Imports one unmodified file from each of the authors' repositories.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types
import warnings

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.contenders.timm_mixer import declare_detection_ops


def main() -> None:
    order = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    declare_detection_ops()
    module = _loaded(pathlib.Path(order["file"]))
    model = getattr(module, order["function"])(**order["arguments"]).eval()
    model.load_state_dict(_with_counters(load_file(order["weights"]), model), strict=True)
    if order["then"] is not None:
        getattr(model, order["then"])()
    images = torch.from_numpy(np.load(order["images"]).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        np.save(order["logits"], model(images).numpy())
    libraries = ("torch", "timm", "safetensors", "numpy")
    print(json.dumps({name: importlib.metadata.version(name) for name in libraries}))


def _loaded(path: pathlib.Path) -> types.ModuleType:
    """The module in a file; timm's `register_model` looks it up by name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file.")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        # It imports `timm.models.layers` and `timm.models.registry`, which timm has moved.
        warnings.simplefilter("ignore", FutureWarning)
        spec.loader.exec_module(module)
    return module


def _with_counters(
    tensors: dict[str, torch.Tensor], model: torch.nn.Module
) -> dict[str, torch.Tensor]:
    """Adds PyTorch's batch counters, which are not weights: evaluation never reads them."""
    counters = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.endswith(".num_batches_tracked")
    }
    return {**counters, **tensors}


if __name__ == "__main__":
    main()
