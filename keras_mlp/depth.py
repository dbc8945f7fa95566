"""Fine-tuning by depth: the first layers frozen, or at lower learning rates."""

import re
from collections.abc import Callable

import keras

from keras_mlp.arguments import check_choice, shown
from keras_mlp.layers.layer_changes import freeze
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.block import Block


def freeze_through(model: VisionModel, layer: str) -> VisionModel:
    """Freezes a model from its input up to one of its layers.

    A BatchNorm that is frozen uses its moving statistics in training too, as always in Keras.
    Compile the model after freezing.

    Args:
        model: a `VisionModel`, such as `MLPMixer`; changed in place.
        layer: name of the last frozen layer: "stem", "block_5", or "norm" for everything but the
            classifier.

    Returns:
        `model`.

    Raises:
        ValueError: the model has no such layer.

    >>> model = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    >>> frozen = keras_mlp.freeze_through(model, "block_2")
    >>> [layer.name for layer in frozen.layers if layer.trainable]
    ['block_3', 'norm', 'pool', 'head']
    """
    if not isinstance(model, keras.Model):
        check_model(model)
    names = [each.name for each in model.layers]
    check_choice("layer", layer, names)
    for each in model.layers[: names.index(layer) + 1]:
        freeze(each)
    return model


def layer_decay(
    model: VisionModel, make_optimizer: Callable[[float], keras.optimizers.Optimizer], decay: float
) -> keras.optimizers.MultiOptimizer:
    """An optimizer whose learning rate falls by a factor per block, from the head to the stem.

    The classifier and the last norm learn at the full rate, the last block at `decay` times that,
    the one before at its square, and the stem, with class token and positions, at the lowest, as
    BEiT (Bao et al., arXiv:2106.08254) fine-tunes. A downsampling layer between two stages belongs
    to the block after it.

    Args:
        model: a `VisionModel`, such as `MLPMixer`.
        make_optimizer: called with each factor in (0, 1]; returns a new Keras optimizer, such as
            `lambda scale: keras.optimizers.AdamW(1e-3 * scale)`.
        decay: factor in (0, 1] between two blocks.

    Returns:
        A `keras.optimizers.MultiOptimizer`.

    Raises:
        ValueError: `decay` is outside (0, 1], `make_optimizer` is not a function, or `model` is not
            a model.

    >>> model = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    >>> sgd = keras_mlp.layer_decay(model, lambda scale: keras.optimizers.SGD(0.1 * scale), 0.5)
    >>> model.compile(sgd, "mse")
    """
    if not isinstance(model, keras.Model):
        check_model(model)
    if not callable(make_optimizer):
        raise ValueError(
            "`make_optimizer` must be a function from a factor to a Keras optimizer, got "
            f"{shown(make_optimizer)}."
        )
    is_number = isinstance(decay, (int, float)) and not isinstance(decay, bool)
    if not is_number or not 0 < decay <= 1:
        raise ValueError(f"`decay` must be a number in (0, 1], got {shown(decay)}.")
    depths = layer_depths(model)
    top = max(depths.values())
    optimizers = {depth: make_optimizer(decay ** (top - depth)) for depth in range(top)}
    groups: dict[int, list[str]] = {depth: [] for depth in range(top)}
    for name, depth in depths.items():
        if depth < top:
            groups[depth].append(re.escape(name))
    # MultiOptimizer takes an optimizer once per pattern; one pattern a group keeps groups whole.
    patterns = {f"({'|'.join(names)})/.*": optimizers[depth] for depth, names in groups.items()}
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(make_optimizer(1.0), patterns)
    )


def layer_depths(model: VisionModel) -> dict[str, int]:
    """From the name of each layer to its depth: 0 before the blocks, i + 1 for block i.

    A layer between two blocks belongs to the later one; layers after the last block are one deeper
    than it.

    >>> model = keras_mlp.MLPMixer.from_variant("pico/2")
    >>> depths = keras_mlp.depth.layer_depths(model)
    >>> depths["stem"], depths["block_0"], depths["block_3"], depths["norm"], depths["head"]
    (0, 1, 4, 5, 5)
    """
    depths: dict[str, int] = {}
    blocks = 0
    for layer in model.layers:
        if isinstance(layer, Block):
            blocks += 1
            depths[layer.name] = blocks
        else:
            depths[layer.name] = blocks + 1 if blocks else 0
    return depths
