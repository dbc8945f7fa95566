"""Train, evaluate and fine-tune the models of keras_mlp, from the checkout or by `keras-mlp`."""

import os

# TensorFlow tells of every dataset's end; errors still show. Read when TensorFlow loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
