"""Published weights of MLP-Mixer."""

from typing import Any

from keras_mlp.weights.preset import Preset

_PORTS = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-vitjx/"
_MIIL = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-tresnet/"
_GOOGLE = "https://storage.googleapis.com/mixer_models/"
_MISLABELLED = (
    "Despite its name it was trained on ImageNet-1k alone: no Mixer fine-tuned from ImageNet-21k "
    "has been released."
)
_LISTED = "https://github.com/google-research/vision_transformer"


def _mixer(name: str, variant: str, naming: str, **facts: Any) -> Preset:
    common = {
        "num_classes": 1000,
        "image_size": 224,
        "pixel_mean": 0.5,
        "pixel_std": 0.5,
        "crop": 0.875,
        "interpolation": "bicubic",
        "gelu_approximate": True,
        "licence": "Apache-2.0",
    }
    return Preset(name, "MLPMixer", variant, naming, **{**common, **facts})


def _port(name: str, variant: str, file: str, sha256: str, **facts: Any) -> Preset:
    """timm's copy of Google's file. timm itself runs it with the exact GELU."""
    return _mixer(name, variant, "timm", url=f"{_PORTS}{file}-{sha256}.pth", sha256=sha256, **facts)


def _google(name: str, variant: str, file: str, **facts: Any) -> Preset:
    return _mixer(
        name, variant, "google", url=f"{_GOOGLE}{file}.npz", suffix=".npz", page=_LISTED, **facts
    )


def _miil(tag: str, file: str, sha256: str, **facts: Any) -> Preset:
    return _mixer(
        f"mixer_b16_224.{tag}",
        "B/16",
        "timm",
        url=f"{_MIIL}{file}-{sha256}.pth",
        sha256=sha256,
        pixel_mean=0.0,
        pixel_std=1.0,
        interpolation="bilinear",
        gelu_approximate=False,
        **facts,
    )


_BY_TIMM = {"top1_by": "timm"}
_BY_PAPER = {"top1_by": "paper"}
_SECONDARY = {"top1_by": "secondary source"}

PRESETS = (
    _port(
        "mixer_b16_224.goog_in21k_ft_in1k",
        "B/16",
        "jx_mixer_b16_224",
        "76587d61",
        top1=76.616,
        note=_MISLABELLED,
        **_BY_TIMM,
    ),
    _port(
        "mixer_l16_224.goog_in21k_ft_in1k",
        "L/16",
        "jx_mixer_l16_224",
        "92f9adc4",
        top1=72.084,
        note=_MISLABELLED,
        **_BY_TIMM,
    ),
    _port(
        "mixer_b16_224.goog_in21k",
        "B/16",
        "jx_mixer_b16_224_in21k",
        "617b3de2",
        num_classes=21843,
    ),
    _port(
        "mixer_l16_224.goog_in21k",
        "L/16",
        "jx_mixer_l16_224_in21k",
        "846aa33c",
        num_classes=21843,
    ),
    _miil("miil_in21k", "mixer_b16_224_miil_in21k", "2a558a71", num_classes=11221),
    _miil("miil_in21k_ft_in1k", "mixer_b16_224_miil", "9229a591", top1=82.314, **_BY_TIMM),
    # Google's own files, which timm does not name.
    _google("mixer_b16_224.jax_in1k", "B/16", "imagenet1k/Mixer-B_16", top1=76.44, **_BY_PAPER),
    _google("mixer_l16_224.jax_in1k", "L/16", "imagenet1k/Mixer-L_16", top1=71.76, **_BY_PAPER),
    _google("mixer_b16_224.jax_in21k", "B/16", "imagenet21k/Mixer-B_16", num_classes=21843),
    _google("mixer_l16_224.jax_in21k", "L/16", "imagenet21k/Mixer-L_16", num_classes=21843),
    _google("mixer_b16_224.sam_in1k", "B/16", "sam/Mixer-B_16", top1=77.36, **_SECONDARY),
    _google("mixer_b32_224.sam_in1k", "B/32", "sam/Mixer-B_32", top1=72.47, **_SECONDARY),
    _google("mixer_b16_224.gsam_in1k", "B/16", "gsam/Mixer-B_16"),
    _google("mixer_b32_224.gsam_in1k", "B/32", "gsam/Mixer-B_32"),
    _google("mixer_s16_224.gsam_in1k", "S/16", "gsam/Mixer-S_16"),
    _google("mixer_s32_224.gsam_in1k", "S/32", "gsam/Mixer-S_32"),
    _google("mixer_s8_224.gsam_in1k", "S/16", "gsam/Mixer-S_8", arguments={"patch_size": 8}),
)
