"""Published weights of FF-only. Its largest model was never released."""

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset

_REPOSITORY = "https://github.com/lukemelas/do-you-even-need-attention"


def _ff_only(size: str, top1: float) -> Preset:
    return Preset(
        f"linear_{size}.official_in1k",
        "FFOnly",
        f"linear_{size}",
        "official",
        num_classes=1000,
        image_size=224,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        crop=0.875,
        interpolation="bicubic",
        url=f"{_REPOSITORY}/releases/download/v0.0.1/linear-{size}-checkpoint.pth",
        page=_REPOSITORY,
        top1=top1,
        top1_by="authors",
        note="The repository has no licence: all rights are reserved by default.",
    )


PRESETS = (_ff_only("tiny", 61.4), _ff_only("base", 74.9))
