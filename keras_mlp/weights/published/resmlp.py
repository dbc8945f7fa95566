"""Published weights of ResMLP."""

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset

_FILES = "https://dl.fbaipublicfiles.com/deit/"
_CROP = "timm's crop; the authors evaluate with 0.9."
_DINO = "Trained without labels (DINO): whether the file's classifier is useful is not published."


def _resmlp(
    size: str, tag: str, file: str, top1: float | None = None, note: str | None = _CROP
) -> Preset:
    variants = {"12": "S12", "24": "S24", "36": "S36", "big_24": "B24/8"}
    return Preset(
        f"resmlp_{size}_224.{tag}",
        "ResMLP",
        variants[size],
        "deit",
        num_classes=1000,
        image_size=224,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        crop=0.875,
        interpolation="bicubic",
        gelu_approximate=False,
        url=f"{_FILES}{file}.pth",
        page="https://github.com/facebookresearch/deit",
        licence="Apache-2.0",
        top1=top1,
        top1_by=None if top1 is None else "timm",
        note=note,
    )


PRESETS = (
    _resmlp("12", "fb_in1k", "resmlp_12_no_dist", 76.66),
    _resmlp("24", "fb_in1k", "resmlp_24_no_dist", 79.38),
    _resmlp("36", "fb_in1k", "resmlp_36_no_dist", 79.772),
    _resmlp("big_24", "fb_in1k", "resmlpB_24_no_dist", 81.034),
    _resmlp("12", "fb_distilled_in1k", "resmlp_12_dist", 77.948),
    _resmlp("24", "fb_distilled_in1k", "resmlp_24_dist", 80.766),
    _resmlp("36", "fb_distilled_in1k", "resmlp_36_dist", 81.15),
    _resmlp("big_24", "fb_distilled_in1k", "resmlpB_24_dist", 83.594),
    _resmlp("big_24", "fb_in22k_ft_in1k", "resmlpB_24_22k", 84.414),
    _resmlp("12", "fb_dino", "resmlp_12_dino", note=_DINO),
    _resmlp("24", "fb_dino", "resmlp_24_dino", note=_DINO),
)
