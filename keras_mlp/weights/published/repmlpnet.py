"""Published weights of RepMLPNet, in the training form; `keras_mlp.deploy` folds them."""

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset


def _repmlpnet(variant: str, drive: str, top1: float) -> Preset:
    return Preset(
        f"repmlpnet_{variant.lower()}.official_in1k",
        "RepMLPNet",
        variant,
        "official",
        num_classes=1000,
        image_size=int(variant[1:]),
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        crop=1.0,
        interpolation="bilinear",
        page=f"https://drive.google.com/file/d/{drive}/view",
        licence="MIT",
        top1=top1,
        top1_by="authors",
    )


PRESETS = (
    _repmlpnet("T224", "1TgPDD78G-d3h_Y_vNTuqYdSJZHmnju7b", 76.62),
    _repmlpnet("B224", "1GwoUvxGXgzKArlCf0V9kvc9_3GtkGltp", 80.32),
    _repmlpnet("T256", "1mU0L76x20eAKzkHxEM7J2BvEOLWx_mux", 77.44),
    _repmlpnet("B256", "1W-__gXE7903cX-gOSXEGxNBCJjvqFCiJ", 81.03),
    _repmlpnet("D256", "1e5IYac0UHnJq2_lzbuE7J4rahMENX2ha", 80.83),
    _repmlpnet("L256", "1SHhNJ6pZax9qMLm8DJZtQ_XfmcmddPYU", 81.68),
)
