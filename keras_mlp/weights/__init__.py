"""Published weights into our models."""

from keras_mlp.weights.checkpoint import load_checkpoint
from keras_mlp.weights.position_resize import resize_positions

__all__ = ["load_checkpoint", "resize_positions"]
