"""Published weights of Vision Permutator."""

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset


def _permutator(variant: str, drive: str, top1: float, crop: float) -> Preset:
    return Preset(
        f"vip_{variant.replace('/', '').lower()}.official_in1k",
        "VisionPermutator",
        variant,
        "official",
        num_classes=1000,
        image_size=224,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        crop=crop,
        interpolation="bicubic",
        page=f"https://drive.google.com/file/d/{drive}/view",
        licence="MIT",
        top1=top1,
        top1_by="authors",
        note='The repository has the MIT licence; its README adds "for non-commercial use only".',
    )


PRESETS = (
    _permutator("S/7", "1cX6eauDrsGsLSZnqsX7cl0oiKX8Dzv5z", 81.5, 0.9),
    _permutator("M/7", "15y5WMypthpbBFdc01E3mJCZit7q0Yn8m", 82.7, 0.9),
    _permutator("L/7", "14F5IXGXmB_3jrwK33Efae-WEb5D_G85c", 83.2, 0.875),
)
