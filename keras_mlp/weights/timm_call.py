"""Which call builds timm's counterpart of a model."""

_MIXER = "timm.models.mlp_mixer"
# timm's names of the sizes whose numbers it has; the others need its classes.
_NAMES = {
    "MLPMixer": {
        "S/32": "mixer_s32_224",
        "S/16": "mixer_s16_224",
        "B/32": "mixer_b32_224",
        "B/16": "mixer_b16_224",
        "L/32": "mixer_l32_224",
        "L/16": "mixer_l16_224",
    },
    "ResMLP": {
        "S12": "resmlp_12_224",
        "S24": "resmlp_24_224",
        "S36": "resmlp_36_224",
        "B24/8": "resmlp_big_24_224",
    },
    "GMLP": {"Ti/16": "gmlp_ti16_224", "S/16": "gmlp_s16_224", "B/16": "gmlp_b16_224"},
    "ViT": {
        "Ti/16": "vit_tiny_patch16_224",
        "S/32": "vit_small_patch32_224",
        "S/16": "vit_small_patch16_224",
        "B/32": "vit_base_patch32_224",
        "B/16": "vit_base_patch16_224",
        "B/8": "vit_base_patch8_224",
        "L/32": "vit_large_patch32_224",
        "L/16": "vit_large_patch16_224",
        "H/14": "vit_huge_patch14_224",
    },
}
# What does not change the network: the size of the image, and where training starts.
_FREE = ("image_shape", "layer_scale_init_value")


def timm_call(model):
    """The call that builds timm's counterpart of a model, or None where timm has none.

    Returns:
        A dict of "function", the full name of a function or class of timm, and "arguments", those
        that it takes by name; a text among them that begins with "timm." is the name of a class.

    >>> call = timm_call(MLPMixer.from_variant("S/32", num_classes=10))
    >>> call["function"], call["arguments"]["model_name"], call["arguments"]["num_classes"]
    ('timm.create_model', 'mixer_s32_224', 10)
    """
    kind = type(model).__name__
    if kind not in _NAMES or not _is_in_timm(model):
        return None
    shared, name = _shared_arguments(model), _name(model)
    if kind == "ViT":
        shared |= _vit_arguments(model)
    if name is not None:
        return {"function": "timm.create_model", "arguments": {"model_name": name, **shared}}
    function, sizes = _SIZES[kind](model)
    return {"function": function, "arguments": {**shared, **sizes}}


def _is_in_timm(model):
    """Whether timm has the network, at whatever size."""
    if getattr(model, "layer_norm_epsilon", 1e-6) != 1e-6:
        return False
    if getattr(model, "attention_dim", None) or getattr(model, "representation_size", None):
        return False
    return model.pooling is not None or not getattr(model, "norm_after_pooling", False)


def _name(model):
    for variant, name in _NAMES[type(model).__name__].items():
        sizes = type(model).variants[variant].items()
        if all(getattr(model, key) == value for key, value in sizes if key not in _FREE):
            return name
    return None


def _shared_arguments(model):
    arguments = {
        "img_size": model.image_shape[:2],
        "in_chans": model.image_shape[2],
        "num_classes": model.num_classes if model.include_top else 0,
        "global_pool": model.pooling or "",
    }
    if model.gelu_approximate:
        arguments["act_layer"] = "timm.layers.GELUTanh"
    return arguments


def _mixer_sizes(model, mlp_ratio, **layers):
    return f"{_MIXER}.MlpMixer", {
        "patch_size": model.patch_size,
        "num_blocks": model.num_layers,
        "embed_dim": model.hidden_dim,
        "mlp_ratio": mlp_ratio,
        **layers,
    }


def _mixer(model):
    widths = model.token_mlp_dim, model.channel_mlp_dim
    return _mixer_sizes(model, [_ratio(width, model.hidden_dim) for width in widths])


def _resmlp(model):
    return _mixer_sizes(
        model,
        _ratio(model.channel_mlp_dim, model.hidden_dim),
        block_layer=f"{_MIXER}.ResBlock",
        norm_layer=f"{_MIXER}.Affine",
    )


def _gmlp(model):
    return _mixer_sizes(
        model,
        _ratio(model.channel_mlp_dim, model.hidden_dim),
        block_layer=f"{_MIXER}.SpatialGatingBlock",
        mlp_layer="timm.layers.GatedMlp",
    )


def _vit_arguments(model):
    arguments = {"class_token": model.class_token, "fc_norm": model.norm_after_pooling}
    if model.layer_scale_init_value is not None:
        arguments["init_values"] = model.layer_scale_init_value
    return arguments


def _vit(model):
    return "timm.models.vision_transformer.VisionTransformer", {
        "patch_size": model.patch_size,
        "depth": model.num_layers,
        "embed_dim": model.hidden_dim,
        "num_heads": model.num_heads,
        "mlp_ratio": _ratio(model.channel_mlp_dim, model.hidden_dim),
    }


def _ratio(width, channels):
    """The factor that gives `width` under timm's `int(channels * factor)`."""
    exact = width / channels
    return exact if int(channels * exact) == width else (width + 0.5) / channels


_SIZES = {"MLPMixer": _mixer, "ResMLP": _resmlp, "GMLP": _gmlp, "ViT": _vit}
