"""timm's Mixer on PyTorch, as its users run it."""

import numpy as np
import torch
from safetensors.torch import load_file


def eager(task):
    """The module as it is."""
    return _forward(task, lambda model: model)


def compiled(task):
    """The module through torch.compile with its default settings."""
    return _forward(task, torch.compile)


def _forward(task, prepare):
    torch.set_num_threads(task["threads"])
    model = _mixer(**task["sizes"]).eval()
    model.load_state_dict(load_file(task["weights"]), strict=True)
    model = prepare(model)
    images = np.load(task["images"]).transpose(0, 3, 1, 2)  # PyTorch's order, outside the timing
    images = torch.from_numpy(np.ascontiguousarray(images))

    @torch.inference_mode()
    def forward():
        return model(images).numpy()

    return forward


def _mixer(
    *,
    image_shape,
    patch_size,
    num_layers,
    hidden_dim,
    token_mlp_dim,
    channel_mlp_dim,
    num_classes,
):
    declare_detection_ops()
    from timm.models.mlp_mixer import MlpMixer

    return MlpMixer(
        num_classes=num_classes,
        img_size=tuple(image_shape[:2]),
        in_chans=image_shape[2],
        patch_size=patch_size,
        num_blocks=num_layers,
        embed_dim=hidden_dim,
        mlp_ratio=(token_mlp_dim / hidden_dim, channel_mlp_dim / hidden_dim),
    )


def declare_detection_ops():
    """Lets a torchvision without its compiled part be imported.

    timm imports torchvision. Where the two wheels were built for different devices (PyTorch for
    CPU, torchvision for CUDA) torchvision's compiled operators do not load, and its import stops
    at two of them, box suppressions for detectors. They are declared, not defined: a call would
    still fail, and no classifier makes one.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", schema)
