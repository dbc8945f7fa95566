"""BatchNorm's moving statistics, computed again from images."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from keras_mlp.arguments import shown
from keras_mlp.layers.tree import sublayers
from keras_mlp.models import VisionModel, check_model
from keras_mlp.typing import Tensor


def recalibrate(model: VisionModel, batches: Iterable[Tensor]) -> None:
    """Replaces the moving statistics of every BatchNorm by those of images, in place.

    For a model that is used on other images than it was trained on: at another size, for example.
    A model trained over several sizes (`model.at`) keeps one set of moving statistics, a mixture
    of all sizes that may fit none of them. `with_image_shape` makes a model of one size, which can
    have statistics of its own.

    The new statistics are means over the batches, of the mean and of the variance within each, with
    dropout and stochastic depth off. Other weights do not change. A frozen BatchNorm keeps its
    statistics.

    Args:
        model: a keras_mlp model with BatchNorm, such as `RepMLPNet` or `ConvMixer`.
        batches: arrays (B, H, W, channels) of the model's size, in the range that it takes: images
            as in training, without labels, in random order. A few thousand images are enough;
            small batches give variances that are too small.

    Raises:
        ValueError: `model` is not a keras_mlp model, is a view (which shares its statistics with
            every other size), or has no BatchNorm that trains; or `batches` is empty or holds
            something else. After any error the statistics are what they were.

    >>> model = ConvMixer.from_variant("pico/2", num_classes=10)
    >>> larger = with_image_shape(model, (16, 16, 3))
    >>> recalibrate(larger, [numpy.random.randint(0, 256, (32, 16, 16, 3)).astype("uint8")])
    """
    check_model(model)
    layers = sublayers(model)
    norms = _trainable_norms(model)
    if not norms:
        raise ValueError(
            f"`model` {model.name} has no BatchNorm that trains, so there is nothing to "
            "recalibrate: unfreeze it, or use the model as it is."
        )
    statistics = [each for norm in norms for each in (norm.moving_mean, norm.moving_variance)]
    before = [np.array(each) for each in statistics]
    momenta = [norm.momentum for norm in norms]
    # Dropout and stochastic depth call it `rate`: they would change the statistics.
    rates = {layer: layer.rate for layer in layers if getattr(layer, "rate", 0)}
    for layer in rates:
        layer.rate = 0.0
    count = 0
    try:
        for each in statistics:
            each.assign(np.zeros(each.shape))  # 0 times a statistic that is NaN would be NaN
        for images in _checked(batches, model):
            for norm in norms:
                norm.momentum = count / (count + 1)  # a mean over all batches so far
            model(images, training=True)
            count += 1
        if not count:
            raise ValueError("`batches` is empty: give at least one batch of images.")
    except BaseException:
        for each, value in zip(statistics, before, strict=True):
            each.assign(value)
        raise
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for layer, rate in rates.items():
            layer.rate = rate


def _checked(batches: Iterable[Tensor], model: VisionModel) -> Iterator[Tensor]:
    """The batches, each checked before it is used; the model judges the range of its values."""
    needed = f"arrays of images (B, {', '.join(map(str, model.image_shape))})"
    if not isinstance(batches, Iterable):
        raise ValueError(f"`batches` must be {needed} one after the other, got {shown(batches)}.")
    for images in batches:
        shape = getattr(images, "shape", None)
        if shape is None:
            raise ValueError(f"`batches` must hold {needed}, got {shown(images)}.")
        if len(shape) != 4 or not shape[0] or tuple(shape[1:]) != tuple(model.image_shape):
            raise ValueError(f"`batches` must hold {needed}, got one of shape {tuple(shape)}.")
        yield images


def has_batch_norm(model: VisionModel) -> bool:
    """Whether a model has statistics that `recalibrate` can replace."""
    return bool(_trainable_norms(model))


def _trainable_norms(model: VisionModel) -> list[keras.layers.BatchNormalization]:
    kind = keras.layers.BatchNormalization
    return [each for each in sublayers(model) if isinstance(each, kind) and each.trainable]
