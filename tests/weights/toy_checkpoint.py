"""A toy Mixer and random checkpoints for it, in the published namings."""

import keras
import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import MLPMixer, load_checkpoint

SUFFIXES = (".npz", ".safetensors")


def toy_mixer():
    """A Mixer whose kernels have no equal axes except the patch's, so that transpositions show."""
    keras.utils.set_random_seed(0)
    return MLPMixer(
        image_shape=(16, 24, 3),
        patch_size=4,
        num_layers=2,
        hidden_dim=16,
        token_mlp_dim=12,
        channel_mlp_dim=32,
        num_classes=5,
    )


def checkpoint_of(model, source, seed=1, numbers=None):
    """Tensors as `source` would publish them for this model: random, or from the given weights."""
    rng, layout = np.random.default_rng(seed), model.checkpoint_layouts[source]
    if numbers is None:
        numbers = [rng.normal(size=weight.shape).astype("float32") for weight in model.weights]
    tensors = {}
    for weight, array in zip(model.weights, numbers, strict=True):
        if layout.torch and array.ndim > 1:
            array = array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1)
        name = layout.origin(weight.path, model).name
        tensors[name] = np.ascontiguousarray(array)
    return tensors


def write(tensors, path):
    """Writes a file like a user's; returns its path."""
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    else:
        safetensors.numpy.save_file(tensors, path)
    return path


def refusal(model, path):
    """The message of the one error of a load, after checking that the model did not change."""
    before = model.get_weights()
    with pytest.raises(ValueError) as error:
        load_checkpoint(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return str(error.value)
