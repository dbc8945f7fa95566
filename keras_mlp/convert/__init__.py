"""Converts published files to models that are ready to use: python -m keras_mlp.convert --help."""

from keras_mlp.convert.conversion import Source, convert

__all__ = ["Source", "convert"]
