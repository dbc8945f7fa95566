"""LoRA: fine-tuning by low-rank factors beside kernels that stay as they are."""

import numpy as np

from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.layers import Dense
from keras_mlp.layers.dense import LORA_FACTORS
from keras_mlp.models import VisionModel
from keras_mlp.models.layer_changes import has_lora, is_quantized, layers_by_path

# Parts of a block in which dense layers mix tokens. All other dense layers mix channels.
TOKEN_MIXING = ("token_mlp", "token_linear", "attention", "height", "width")


def enable_lora(model, rank, *, alpha=None, mixing="all", train_head=True):
    """Gives a model's dense layers low-rank factors to train, and freezes everything else.

    A kernel W becomes W + (alpha / rank) A B, with A (inputs, rank) and B (rank, outputs) (Hu et
    al., arXiv:2106.09685). B starts at 0, so that the model computes what it did. Biases, norms,
    the stem and layers that take no factors, such as the grouped matrices of RepMLP, are frozen;
    frozen BatchNorms use their moving statistics. What was frozen before does not matter.

    Compile the model afterwards. `.keras` files keep the factors apart from the kernels, and what
    is frozen; SavedModels compute with both. `merge_lora` adds the factors to the kernels.

    Args:
        model: of one of the architectures of `keras_mlp`; changed in place. It may be quantized to
            int8 or int4.
        rank: number of columns of A, at most the inputs and outputs of every layer that it is for.
        alpha: above 0, of the formula above; None for `rank`.
        mixing: which layers: "all", "tokens" for those that mix tokens (of Permute-MLPs height and
            width; attention with all its layers), or "channels" for the others, in the blocks.
        train_head: train the classifier too, if there is one.

    Returns:
        The paths of the layers with factors, such as "block_0/token_mlp/fc1".

    Raises:
        ValueError: an argument is out of range, or the model has factors already, no such layer, or
            layers of another quantization; or its classifier is quantized and `train_head` is True.
            The model is as it was.

    Example:

    >>> model = MLPMixer.from_variant("pico/2", num_classes=10)
    >>> paths = enable_lora(model, rank=4)
    >>> len(paths), len(model.trainable_weights)
    (16, 34)
    """
    rank = check_positive_int("rank", rank)
    alpha = None if alpha is None else check_positive("alpha", alpha)
    check_choice("mixing", mixing, ("all", "tokens", "channels"))
    layers = _layers_for(_check_kind(model), mixing)
    _check_layers(model, layers, rank)
    if train_head:
        _check_head(model)
    for layer in layers.values():
        layer.enable_lora(rank, lora_alpha=alpha)
    _freeze_all_else(model, train_head)
    return list(layers)


def merge_lora(model):
    """A copy of a model whose kernels are the sums that LoRA computes, without factors.

    Args:
        model: of one of the architectures of `keras_mlp`, with LoRA factors; not changed.

    Returns:
        A new model of the same arguments. Nothing of it is frozen.

    Raises:
        ValueError: there are no factors, or the kernels that have them are quantized: the sums
            would be rounded.

    Example:

    >>> model = MLPMixer.from_variant("pico/2", num_classes=10)
    >>> paths = enable_lora(model, rank=4)
    >>> merge_lora(model).count_params() < model.count_params()
    True
    """
    layers = _with_factors(_check_kind(model))
    if not layers:
        raise ValueError(f"`model` {model.name} has no LoRA factors to merge.")
    if any(is_quantized(layer) for layer in layers):
        raise ValueError(f"`model` {model.name} is quantized: merged kernels would be rounded.")
    merged = type(model).from_config({**model.get_config(), "lora": {}, "frozen": ()})
    values = {weight.path: weight for weight in model.weights}
    for layer in layers:
        values[f"{layer.path}/kernel"] = np.asarray(values[f"{layer.path}/kernel"]) + _update(layer)
    for weight in merged.weights:
        weight.assign(values[weight.path])
    return merged


def _check_kind(model):
    if not isinstance(model, VisionModel):
        raise ValueError(f"`model` must be one of the architectures of keras_mlp, got {model!r}.")
    return model


def _layers_for(model, mixing):
    layers = {
        path: layer
        for path, layer in layers_by_path(model).items()
        if isinstance(layer, Dense) and mixing in ("all", _mixes(path))
    }
    if not layers:
        raise ValueError(f"`mixing`={mixing!r}: {model.name} has no dense layer of that kind.")
    return layers


def _mixes(path):
    return "tokens" if set(path.split("/")) & set(TOKEN_MIXING) else "channels"


def _check_layers(model, layers, rank):
    if _with_factors(model):
        raise ValueError(f"`model` {model.name} has LoRA factors already.")
    for path, layer in layers.items():
        if layer.quantization_mode not in (None, "int8", "int4"):
            raise ValueError(
                f"`model` {model.name} is quantized to {layer.quantization_mode}, which takes no "
                "LoRA factors: int8 and int4 do."
            )
        side = min(layer.input_spec.axes[-1], layer.units)
        if rank > side:
            raise ValueError(
                f"`rank`={rank} is above the smaller side, {side}, of the kernel of {path}."
            )


def _check_head(model):
    head = layers_by_path(model).get("head")
    if head is not None and is_quantized(head):
        raise ValueError(
            f"`train_head` is True, and the classifier of {model.name} is quantized: it cannot be "
            "trained. `with_new_head` gives the model one that can."
        )


def _freeze_all_else(model, train_head):
    model.trainable = True
    for path, layer in layers_by_path(model).items():
        if has_lora(layer):
            for weight in layer.weights:
                weight.trainable = weight.name in LORA_FACTORS
        elif not (path == "head" and train_head) and not _holds_layers(layer):
            layer.trainable = False


def _holds_layers(layer):
    # A frozen block would freeze the factors inside.
    return bool(layer._flatten_layers(include_self=False))


def _with_factors(model):
    return [layer for layer in layers_by_path(model).values() if has_lora(layer)]


def _update(layer):
    factors = [np.asarray(getattr(layer, name)) for name in LORA_FACTORS]
    return layer.lora_alpha / layer.lora_rank * (factors[0] @ factors[1])
