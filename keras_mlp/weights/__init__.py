"""Published weights: the catalogue, loading and saving files, and other image sizes."""

from keras_mlp.weights.catalogue import presets
from keras_mlp.weights.checkpoint import load_checkpoint
from keras_mlp.weights.class_names import class_names
from keras_mlp.weights.image_shape import with_image_shape
from keras_mlp.weights.position_resize import resize_positions
from keras_mlp.weights.preset import Preset
from keras_mlp.weights.preset_models import from_preset
from keras_mlp.weights.repmlp_layer import load_repmlp
from keras_mlp.weights.save import save_checkpoint
from keras_mlp.weights.token_mixing_resize import copy_tokens, interpolate_tokens

__all__ = [
    "Preset",
    "class_names",
    "copy_tokens",
    "from_preset",
    "interpolate_tokens",
    "load_checkpoint",
    "load_repmlp",
    "presets",
    "resize_positions",
    "save_checkpoint",
    "with_image_shape",
]
