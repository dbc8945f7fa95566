"""SavedModels for serving and further training, with TF Hub's Reusable SavedModel interface."""

from keras_mlp.export.description import INFO_FILE, saved_model_info
from keras_mlp.export.folders import sha256_of
from keras_mlp.export.frozen import frozen_function
from keras_mlp.export.reading import load_saved_model
from keras_mlp.export.saved_model import check_tensorflow_backend, export_saved_model
from keras_mlp.export.sizes import export_at_sizes

__all__ = [
    "INFO_FILE",
    "check_tensorflow_backend",
    "export_at_sizes",
    "export_saved_model",
    "frozen_function",
    "load_saved_model",
    "saved_model_info",
    "sha256_of",
]
