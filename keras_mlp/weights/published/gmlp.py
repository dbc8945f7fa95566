"""Published weights of gMLP: timm's own, as the authors released none for images."""

from keras_mlp.weights.preset import Preset

PRESETS = (
    Preset(
        "gmlp_s16_224.ra3_in1k",
        "GMLP",
        "S/16",
        "timm",
        num_classes=1000,
        image_size=224,
        pixel_mean=0.5,
        pixel_std=0.5,
        crop=0.875,
        interpolation="bicubic",
        gelu_approximate=False,
        url=(
            "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"
            "gmlp_s16_224_raa-10536d42.pth"
        ),
        sha256="10536d42",
        licence="Apache-2.0",
        top1=79.652,
        top1_by="timm",
    ),
)
