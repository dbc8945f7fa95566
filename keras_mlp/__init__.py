"""MLP-centric vision models for Keras 3, exact to their authors' code."""

import sys

from keras_mlp.command_line import check_program

if sys.argv[:1] == ["-m"]:  # Python is looking for the program of `python -m`
    check_program()  # wrong options end here, before Keras loads

from keras_mlp import analysis, layers
from keras_mlp.deploy import deploy
from keras_mlp.depth import freeze_through, layer_decay
from keras_mlp.export import (
    export_at_sizes,
    export_saved_model,
    frozen_function,
    load_saved_model,
    saved_model_info,
)
from keras_mlp.lora import enable_lora, merge_lora
from keras_mlp.models import *  # noqa: F403  (every architecture and its block)
from keras_mlp.models import __all__ as _models
from keras_mlp.new_head import with_new_head
from keras_mlp.recalibrate import recalibrate
from keras_mlp.saved_model_layer import SavedModelLayer
from keras_mlp.version import __version__ as __version__
from keras_mlp.weights import (
    class_names,
    load_checkpoint,
    presets,
    save_checkpoint,
    with_image_shape,
)

__all__ = [
    *_models,
    "SavedModelLayer",
    "analysis",
    "class_names",
    "deploy",
    "enable_lora",
    "export_at_sizes",
    "export_saved_model",
    "freeze_through",
    "frozen_function",
    "layer_decay",
    "layers",
    "load_checkpoint",
    "load_saved_model",
    "merge_lora",
    "presets",
    "recalibrate",
    "save_checkpoint",
    "saved_model_info",
    "with_image_shape",
    "with_new_head",
]
