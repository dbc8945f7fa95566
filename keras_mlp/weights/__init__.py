"""Published weights into our models."""

from keras_mlp.weights.checkpoint import load_checkpoint

__all__ = ["load_checkpoint"]
