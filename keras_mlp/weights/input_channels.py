"""Weights of the first convolution for images with another number of channels."""

import math
from typing import Any

import numpy as np

from keras_mlp.models import VisionModel
from keras_mlp.typing import Array, PerChannel


def adapt_channels(kernel: Array, channels: int) -> Array:
    """Makes a kernel fit another number of input channels, as timm's `adapt_input_conv` does.

    For one channel the kernels of all channels are added up: a grey picture gives what its copies
    in all channels gave. For any other number they are repeated in order, as often as needed, and
    scaled by the old number of channels over the new one.

    Args:
        kernel: (height, width, old channels, D).
        channels: the new number of channels.

    Returns:
        An array (height, width, channels, D); the kernel itself for its own number of channels.
    """
    old = kernel.shape[2]
    if channels == old:
        return kernel
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    return np.tile(kernel, (1, 1, -(-channels // old), 1))[:, :, :channels] * (old / channels)


def fit_channels(
    model: VisionModel,
    arrays: dict[str, Any],
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
) -> None:
    """Makes the weights of a model's first convolution fit the channels of its images, in place.

    A model of one channel has one mean and one deviation. If the weights expect others per channel,
    the difference moves into the weights.

    Args:
        model: the model that the weights are for.
        arrays: from the paths of weights to weights. Nothing changes where they already fit, or
            differ in more than the channels.
        mean, std: of the normalisation that the weights expect; None for the model's arguments, if
            they are one number per channel of the weights.
    """
    path, channels = model.input_kernel, model.image_shape[-1]
    kernel = arrays.get(path)
    shape = next(tuple(weight.shape) for weight in model.weights if weight.path == path)
    if kernel is None or kernel.ndim != 4 or kernel.shape == shape:
        return
    if (*kernel.shape[:2], kernel.shape[3]) != (*shape[:2], shape[3]):
        return
    if channels == 1 and model.include_preprocessing:
        normalize = model.get_layer("normalize")
        means, stds = (
            _per_channel(given, kernel.shape[2], own)
            for given, own in (
                (model.pixel_mean if mean is None else mean, normalize.mean),
                (model.pixel_std if std is None else std, normalize.std),
            )
        )
        # kernel (x - means) / stds = scaled kernel (x - own mean) / own std + offset
        offset = kernel * ((np.asarray(normalize.mean) - means) / stds)[:, None]
        kernel = kernel * (np.asarray(normalize.std) / stds)[:, None]
        target, sign = model.input_offset
        if arrays.get(target) is not None:
            shifted = np.array(arrays[target])
            # Of position embeddings (1, S, C), the last are the grid's: the tokens before it do not
            # come from the image.
            of_image = shifted[:, -math.prod(model.grid) :] if shifted.ndim == 3 else shifted
            of_image += sign * offset.sum(axis=(0, 1, 2))
            arrays[target] = shifted
    arrays[path] = adapt_channels(kernel, channels)


def _per_channel(values: PerChannel, channels: int, own: PerChannel) -> Array:
    """One number per channel of the weights; the model's own where `values` are for others."""
    found = np.ravel(values)
    return np.broadcast_to(found if len(found) in (1, channels) else np.ravel(own), channels)
