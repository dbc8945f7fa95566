"""The architectures, one a file, and the table of them."""

from keras_mlp.models.base import VisionModel
from keras_mlp.models.mlp_mixer import MixerBlock, MLPMixer

ARCHITECTURES = {
    "MLPMixer": MLPMixer,
}

__all__ = ["ARCHITECTURES", "MLPMixer", "MixerBlock", "VisionModel"]
