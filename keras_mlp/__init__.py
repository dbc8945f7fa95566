"""MLP-centric vision models for Keras 3, exact to their authors' code."""

from keras_mlp import layers
from keras_mlp.models import ARCHITECTURES, MixerBlock, MLPMixer, VisionModel
from keras_mlp.weights import load_checkpoint

__version__ = "0.1.0"

__all__ = [
    "ARCHITECTURES",
    "MLPMixer",
    "MixerBlock",
    "VisionModel",
    "layers",
    "load_checkpoint",
]
