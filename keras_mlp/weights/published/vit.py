"""Published weights of the Vision Transformer, DeiT's included.

Google released more than 50,000 files with "How to train your ViT?" (arXiv:2106.10270). This table
has those that timm names and those that the authors recommend, the latter as "recommended".
"""

from typing import Any

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset

_GOOGLE = "https://storage.googleapis.com/vit_models/"
_PORTS = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-vitjx/"
_DEIT = "https://dl.fbaipublicfiles.com/deit/"
_HUB = "https://huggingface.co/timm/"
_LISTED = "https://github.com/google-research/vision_transformer"
_NO_CLASSIFIER = "According to timm the classifier in the file is not valid."
# As in timm's names, and the channels, which the tanh layer before the classifier has too.
_NAMES = {
    "Ti/16": ("vit_tiny_patch16", 192),
    "S/32": ("vit_small_patch32", 384),
    "S/16": ("vit_small_patch16", 384),
    "B/32": ("vit_base_patch32", 768),
    "B/16": ("vit_base_patch16", 768),
    "B/8": ("vit_base_patch8", 768),
    "L/32": ("vit_large_patch32", 1024),
    "L/16": ("vit_large_patch16", 1024),
    "H/14": ("vit_huge_patch14", 1280),
}


def _name(variant: str, family: str = "vit", distilled: bool = False) -> str:
    name = _NAMES[variant][0].replace("vit", family, 1)
    return name.replace("_patch", "_distilled_patch") if distilled else name


def _vit(
    variant: str,
    tag: str,
    naming: str,
    size: int = 224,
    family: str = "vit",
    distilled: bool = False,
    **facts: Any,
) -> Preset:
    common = {
        "num_classes": 1000,
        "pixel_mean": 0.5,
        "pixel_std": 0.5,
        "crop": 0.9 if size == 224 else 1.0,
        "interpolation": "bicubic",
        "gelu_approximate": True,
        "licence": "Apache-2.0",
        "top1_by": facts.get("top1") and "timm",
    }
    name = _name(variant, family, distilled)
    if distilled:
        common["arguments"] = {"distillation_token": True}
    return Preset(
        f"{name}_{size}.{tag}", "ViT", variant, naming, image_size=size, **{**common, **facts}
    )


def _google(
    variant: str, tag: str, folder: str, file: str, size: int = 224, **facts: Any
) -> Preset:
    return _vit(
        variant,
        tag,
        "google",
        size,
        url=f"{_GOOGLE}{folder}/{file}.npz",
        suffix=".npz",
        page=_LISTED,
        **facts,
    )


def _tuned(
    variant: str,
    size: int,
    stem: str,
    rate: str,
    top1: float | None,
    tag: str = "augreg_in21k_ft_in1k",
    **facts: Any,
) -> Preset:
    """Pre-trained, then fine-tuned on ImageNet-1k at a learning rate."""
    file = f"{_stem(variant, stem)}--imagenet2012-steps_20k-lr_{rate}-res_{size}"
    return _google(variant, tag, "augreg", file, size, top1=top1, **facts)


def _in21k(variant: str, stem: str, tag: str = "augreg_in21k") -> Preset:
    return _google(variant, tag, "augreg", _stem(variant, stem), num_classes=21843)


def _stem(variant: str, settings: str) -> str:
    data, augmentation, decay, dropout = settings.split()
    kind = f"{variant.replace('/', '_')}-{data}-300ep-lr_0.001"
    return f"{kind}-aug_{augmentation}-wd_{decay}-do_{dropout}-sd_{dropout}"


def _recommended(variant: str, stem: str, rate: str, top1: float) -> Preset:
    tag, by = "recommended_in21k_ft_in1k", {"top1_by": "authors"}
    return _tuned(variant, 384, stem, rate, top1, tag, **by)


def _original(variant: str) -> Preset:
    """From the first paper, with the tanh layer of its pre-training."""
    return _google(
        variant,
        "orig_in21k",
        "imagenet21k",
        f"ViT-{variant.replace('/', '_')}",
        num_classes=21843,
        arguments={"representation_size": _NAMES[variant][1]},
        note=_NO_CLASSIFIER,
    )


def _original_tuned(variant: str, size: int, suffix: str = "", **facts: Any) -> Preset:
    file = f"ViT-{variant.replace('/', '_')}{suffix}"
    folder = "imagenet21k+imagenet2012"
    return _google(variant, "orig_in21k_ft_in1k", folder, file, size, **facts)


def _port(variant: str, size: int, file: str, sha256: str, top1: float) -> Preset:
    """timm's copy of Google's file. timm itself runs it with the exact GELU."""
    url, tag = f"{_PORTS}{file}-{sha256}.pth", "orig_in21k_ft_in1k"
    return _vit(variant, tag, "timm", size, url=url, sha256=sha256, top1=top1)


def _sam(variant: str, top1: float | None = None) -> Preset:
    file = f"ViT-{variant.replace('/', '_')}"
    return _google(variant, "sam_in1k", "sam", file, top1=top1)


def _timm(variant: str) -> Preset:
    """Fine-tuned by timm."""
    tag = "augreg2_in21k_ft_in1k"
    url = f"{_HUB}{_NAMES[variant][0]}_224.{tag}/resolve/main/model.safetensors"
    return _vit(variant, tag, "timm", url=url, suffix=".safetensors", gelu_approximate=False)


def _deit(variant: str, size: int, sha256: str, top1: float, *, distilled: bool = False) -> Preset:
    name = _name(variant, "deit", distilled)
    return _vit(
        variant,
        "fb_in1k",
        "timm",
        size,
        family="deit",
        distilled=distilled,
        url=f"{_DEIT}{name}_{size}-{sha256}.pth",
        sha256=sha256,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        gelu_approximate=False,
        page="https://github.com/facebookresearch/deit",
        top1=top1,
    )


_TI16 = "i21k none 0.03 0.0"
_S32 = "i21k light1 0.03 0.0"
_S16 = "i21k light1 0.03 0.0"
_B16 = "i21k medium1 0.1 0.0"
_L16 = "i21k medium1 0.1 0.1"
_SMALL_IN1K = "i1k medium2 0.1 0.0"
_B32_IN1K = "i1k medium2 0.1 0.1"
_B16_IN1K = "i1k strong2 0.1 0.1"

PRESETS = (
    _tuned("Ti/16", 224, _TI16, "0.03", 75.45),
    _tuned("Ti/16", 384, _TI16, "0.03", 78.44),
    _tuned("S/32", 224, _S32, "0.03", 76.01),
    _tuned("S/32", 384, _S32, "0.03", 80.48),
    _tuned("S/16", 224, _S16, "0.03", 81.40),
    _tuned("S/16", 384, _S16, "0.03", 83.81),
    _tuned("B/32", 224, "i21k medium1 0.03 0.0", "0.03", 80.73),
    _tuned("B/32", 384, "i21k light1 0.1 0.0", "0.03", 83.36),
    _tuned("B/16", 224, _B16, "0.01", 84.53),
    _tuned("B/16", 384, _B16, "0.01", 86.01),
    _tuned("B/8", 224, _B16, "0.01", 85.84),
    _tuned("L/16", 224, _L16, "0.01", 85.86),
    _tuned("L/16", 384, _L16, "0.01", 87.10),
    _timm("B/16"),
    _timm("B/8"),
    _in21k("Ti/16", _TI16),
    _in21k("S/32", _S32),
    _in21k("S/16", _S16),
    _in21k("B/32", "i21k medium1 0.03 0.0"),
    _in21k("B/16", _B16),
    _in21k("B/8", _B16),
    _in21k("L/16", _L16),
    # Ti/16, S/16 and, before fine-tuning, B/16 are the files above.
    _recommended("S/32", "i21k none 0.1 0.0", "0.01", 79.58),
    _recommended("B/32", "i21k light1 0.1 0.0", "0.01", 83.59),
    _recommended("B/16", _B16, "0.03", 85.49),
    _recommended("L/16", "i21k strong1 0.1 0.0", "0.01", 85.59),
    _in21k("S/32", "i21k none 0.1 0.0", "recommended_in21k"),
    _in21k("B/32", "i21k light1 0.1 0.0", "recommended_in21k"),
    _in21k("L/16", "i21k strong1 0.1 0.0", "recommended_in21k"),
    _tuned("S/16", 224, _SMALL_IN1K, "0.01", 78.84, "augreg_in1k"),
    _tuned("S/16", 384, _SMALL_IN1K, "0.01", 81.13, "augreg_in1k"),
    _tuned("B/32", 224, _B32_IN1K, "0.01", 74.91, "augreg_in1k"),
    _tuned("B/32", 384, _B32_IN1K, "0.01", None, "augreg_in1k"),
    _tuned("B/16", 224, _B16_IN1K, "0.01", 79.15, "augreg_in1k"),
    _tuned("B/16", 384, _B16_IN1K, "0.01", 81.10, "augreg_in1k"),
    _port("B/16", 224, "jx_vit_base_p16_224", "80ecf9dd", 81.78),
    _port("B/16", 384, "jx_vit_base_p16_384", "83fb41ba", 84.21),
    _port("L/32", 384, "jx_vit_large_p32_384", "9b920ba8", 81.51),
    _original_tuned("B/32", 384),
    _original_tuned("B/8", 384),
    _original_tuned("L/16", 224, "-224", top1=82.7, top1_by="authors"),
    _original_tuned("L/16", 384),
    _original("B/32"),
    _original("B/16"),
    _original("B/8"),
    _original("L/32"),
    _original("L/16"),
    _original("H/14"),
    _sam("B/32", 73.70),
    _sam("B/16", 80.25),
    _sam("L/32"),
    _sam("L/16"),
    _deit("Ti/16", 224, "a1311bcf", 72.19),
    _deit("S/16", 224, "cd65a155", 79.86),
    _deit("B/16", 224, "b5f2ef4d", 81.98),
    _deit("B/16", 384, "8de9b5d1", 83.11),
    _deit("Ti/16", 224, "b40b3cf7", 74.50, distilled=True),
    _deit("S/16", 224, "649709d9", 81.22, distilled=True),
    _deit("B/16", 224, "df68dfff", 83.39, distilled=True),
    _deit("B/16", 384, "d0272ac0", 85.42, distilled=True),
)
