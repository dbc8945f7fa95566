"""Which call builds timm's counterpart of a model."""

from typing import Any

from keras_mlp.models import VisionModel

# What does not change the network: the size of the image, and where training starts.
_FREE = ("image_shape", "layer_scale_init_value")


def timm_call(model: VisionModel) -> dict[str, Any] | None:
    """The call that builds timm's counterpart of a model, or None if timm has none.

    Returns:
        A dict of "function", the full name of a function or class of timm, and "arguments", those
        that it takes by name; a text among them that begins with "timm." is the name of a class.

    >>> call = timm_call(MLPMixer.from_variant("S/32", num_classes=10))
    >>> call["function"], call["arguments"]["model_name"], call["arguments"]["num_classes"]
    ('timm.create_model', 'mixer_s32_224', 10)
    """
    timm = model.timm
    if timm is None or getattr(model, "layer_norm_epsilon", 1e-6) != 1e-6 or not timm.has(model):
        return None
    arguments = {
        "in_chans": model.image_shape[2],
        "num_classes": model.num_classes if model.include_top else 0,
        "global_pool": model.pooling or "",
        **timm.options(model),
    }
    if timm.takes_image_size:
        arguments["img_size"] = model.image_shape[:2]
    if getattr(model, "gelu_approximate", False):
        arguments["act_layer"] = "timm.layers.GELUTanh"
    for variant, name in timm.names.items():
        if _has_sizes_of(model, variant):
            arguments["model_name"] = name
            return {"function": "timm.create_model", "arguments": arguments}
    return {"function": timm.builder, "arguments": {**arguments, **timm.sizes(model)}}


def _has_sizes_of(model: VisionModel, variant: str) -> bool:
    sizes = model.variants[variant].items()
    return all(getattr(model, key) == value for key, value in sizes if key not in _FREE)
