"""Published weights of ConvMixer."""

from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.weights.preset import Preset

_REPOSITORY = "https://github.com/locuslab/convmixer"
_FILES = "https://github.com/tmp-iclr/convmixer/releases/download/timm-v1.0/"


def _conv_mixer(name: str, variant: str, file: str, top1: float) -> Preset:
    return Preset(
        f"{name}.in1k",
        "ConvMixer",
        variant,
        "timm",
        num_classes=1000,
        image_size=224,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        crop=0.96,
        interpolation="bicubic",
        url=f"{_FILES}{file}.pth.tar",
        page=_REPOSITORY,
        suffix=".tar",
        licence="MIT",
        top1=top1,
        top1_by="authors",
    )


PRESETS = (
    _conv_mixer("convmixer_768_32", "768/32", "convmixer_768_32_ks7_p7_relu", 80.16),
    _conv_mixer("convmixer_1024_20_ks9_p14", "1024/20", "convmixer_1024_20_ks9_p14", 76.94),
    _conv_mixer("convmixer_1536_20", "1536/20", "convmixer_1536_20_ks9_p7", 81.37),
)
