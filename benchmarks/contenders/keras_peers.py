"""The same network in other libraries for Keras, on TensorFlow, as their users run it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import compiled, read_model, tensorflow_for


def keras_hub(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """KerasHub's ViT with a class token."""
    tensorflow_for(task)

    from keras_hub.models import ViTBackbone, ViTImageClassifier

    ours = read_model(task)
    sizes = ours.get_config()
    backbone = ViTBackbone(
        image_shape=sizes["image_shape"],
        patch_size=sizes["patch_size"],
        num_layers=sizes["num_layers"],
        num_heads=sizes["num_heads"],
        hidden_dim=sizes["hidden_dim"],
        mlp_dim=sizes["channel_mlp_dim"],
    )
    theirs = ViTImageClassifier(backbone, sizes["num_classes"])
    # Both list the weights in the order of the network, but KerasHub has the class token first, and
    # an axis of heads.
    kernel, bias, token, *others = ours.get_weights()
    pairs = zip(theirs.weights, (token, kernel, bias, *others), strict=True)
    theirs.set_weights([values.reshape(weight.shape) for weight, values in pairs])
    return compiled(theirs, task)


def zeromodels(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """ZeroModels' model, with weights that its own converter reads from a file for timm."""
    tensorflow_for(task)

    from safetensors.numpy import load_file

    ours = read_model(task)
    theirs = _ZERO_MODELS[type(ours).__name__](ours.get_config())
    theirs.transfer_from_timm(theirs, load_file(task["weights"]))
    return compiled(theirs, task)


def _zero_mixer(sizes: Mapping[str, Any]) -> Any:
    from zeromodels.models.mlp_mixer import MLPMixerImageClassify

    width = sizes["hidden_dim"]
    ratios = sizes["token_mlp_dim"] / width, sizes["channel_mlp_dim"] / width
    return MLPMixerImageClassify(depths=sizes["num_layers"], mlp_ratio=ratios, **_shared(sizes))


def _zero_resmlp(sizes: Mapping[str, Any]) -> Any:
    from zeromodels.models.resmlp import ResMLPImageClassify

    ratio = sizes["channel_mlp_dim"] // sizes["hidden_dim"]
    return ResMLPImageClassify(depth=sizes["num_layers"], mlp_ratio=ratio, **_shared(sizes))


def _zero_vit(sizes: Mapping[str, Any]) -> Any:
    from zeromodels.models.vit import ViTImageClassify

    return ViTImageClassify(
        depth=sizes["num_layers"],
        num_heads=sizes["num_heads"],
        mlp_ratio=sizes["channel_mlp_dim"] / sizes["hidden_dim"],
        **_shared(sizes),
    )


def _shared(sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "patch_size": sizes["patch_size"],
        "embed_dim": sizes["hidden_dim"],
        "image_size": sizes["image_shape"][0],
        "num_classes": sizes["num_classes"],
    }


_ZERO_MODELS = {"MLPMixer": _zero_mixer, "ResMLP": _zero_resmlp, "ViT": _zero_vit}
