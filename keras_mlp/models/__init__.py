"""The architectures, one per file, and the table of them."""

from keras_mlp.models.base import VisionModel
from keras_mlp.models.base import check_model as check_model  # for tools, not part of the API
from keras_mlp.models.conv_mixer import ConvMixer, ConvMixerBlock
from keras_mlp.models.ff_only import FFOnly, FFOnlyBlock
from keras_mlp.models.gmlp import GMLP, GMLPBlock
from keras_mlp.models.mlp_mixer import MixerBlock, MLPMixer
from keras_mlp.models.model_view import ModelView
from keras_mlp.models.replicated_model import ReplicatedModel
from keras_mlp.models.repmlpnet import RepMLPNet, RepMLPNetUnit
from keras_mlp.models.resmlp import ResMLP, ResMLPBlock
from keras_mlp.models.vision_permutator import PermutatorBlock, VisionPermutator
from keras_mlp.models.vit import ViT, ViTBlock

ARCHITECTURES: dict[str, type[VisionModel]] = {
    "MLPMixer": MLPMixer,
    "ResMLP": ResMLP,
    "GMLP": GMLP,
    "VisionPermutator": VisionPermutator,
    "RepMLPNet": RepMLPNet,
    "FFOnly": FFOnly,
    "ViT": ViT,
    "ConvMixer": ConvMixer,
}

__all__ = [
    "ARCHITECTURES",
    "GMLP",
    "ConvMixer",
    "ConvMixerBlock",
    "FFOnly",
    "FFOnlyBlock",
    "GMLPBlock",
    "MLPMixer",
    "MixerBlock",
    "ModelView",
    "PermutatorBlock",
    "RepMLPNet",
    "RepMLPNetUnit",
    "ReplicatedModel",
    "ResMLP",
    "ResMLPBlock",
    "ViT",
    "ViTBlock",
    "VisionModel",
    "VisionPermutator",
]
