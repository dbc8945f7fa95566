"""LoRA: fine-tuning by low-rank factors beside kernels that stay as they are."""

import numpy as np

from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.layers import Dense
from keras_mlp.layers.dense import LORA_FACTORS
from keras_mlp.layers.layer_changes import has_lora, is_quantized, layers_by_path, unfreeze
from keras_mlp.layers.tree import sublayers
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.blank_model import blank_model
from keras_mlp.typing import Array


def enable_lora(
    model: VisionModel,
    rank: int,
    *,
    alpha: float | None = None,
    mixing: str = "all",
    train_head: bool = True,
) -> list[str]:
    """Adds trainable low-rank factors to a model's dense layers and freezes everything else.

    A kernel W becomes W + (alpha / rank) A B, with A (inputs, rank) and B (rank, outputs) (Hu et
    al., arXiv:2106.09685). B starts at 0, so that the model's outputs do not change. Biases, norms,
    the stem and layers that take no factors, such as the grouped matrices of RepMLP, are frozen;
    frozen BatchNorms use their moving statistics. What was frozen before does not matter.

    Compile the model afterwards. `.keras` files keep the factors apart from the kernels, and what
    is frozen; SavedModels compute with both. `merge_lora` adds the factors to the kernels.

    Args:
        model: a `VisionModel`, such as `MLPMixer`; changed in place. It may be quantized to int8 or
            int4.
        rank: number of columns of A; at most the inputs and the outputs of each of these layers.
        alpha: above 0, of the formula above; None for `rank`.
        mixing: which layers: "all", "tokens" for those that mix tokens (of Permute-MLPs height and
            width; attention with all its layers), or "channels" for the others, in the blocks.
        train_head: train the classifier too, if there is one.

    Returns:
        The paths of the layers with factors, such as "block_0/token_mlp/fc1".

    Raises:
        ValueError: an argument is out of range; the model has factors already, has no dense layer
            of that kind, or has layers of another quantization; or its classifier is quantized and
            `train_head` is True. The model is unchanged.

    Example:

    >>> model = MLPMixer.from_variant("pico/2", num_classes=10)
    >>> paths = enable_lora(model, rank=4)
    >>> len(paths), len(model.trainable_weights)
    (16, 34)
    """
    rank = check_positive_int("rank", rank)
    alpha = None if alpha is None else check_positive("alpha", alpha)
    check_choice("mixing", mixing, ("all", "tokens", "channels"))
    layers = _layers_for(check_model(model), mixing)
    _check_layers(model, layers, rank)
    if train_head:
        _check_head(model)
    for layer in layers.values():
        layer.enable_lora(rank, lora_alpha=alpha)
    _freeze_all_else(model, train_head)
    return list(layers)


def merge_lora(model: VisionModel) -> VisionModel:
    """A copy of a model whose LoRA factors are added to its kernels.

    Args:
        model: a `VisionModel` with LoRA factors; not changed.

    Returns:
        A new model with the same arguments. Nothing in it is frozen.

    Raises:
        ValueError: there are no factors, or the kernels that have them are quantized: the sums
            would be rounded.

    Example:

    >>> model = MLPMixer.from_variant("pico/2", num_classes=10)
    >>> paths = enable_lora(model, rank=4)
    >>> merge_lora(model).count_params() < model.count_params()
    True
    """
    layers = _with_factors(check_model(model))
    if not layers:
        raise ValueError(f"`model` {model.name} has no LoRA factors to merge.")
    if any(is_quantized(layer) for layer in layers):
        raise ValueError(f"`model` {model.name} is quantized: merged kernels would be rounded.")
    config = {**model.get_config(), "lora": {}, "frozen": ()}
    merged = blank_model(type(model).from_config, config)
    values = {weight.path: weight for weight in model.weights}
    for layer in layers:
        values[f"{layer.path}/kernel"] = np.asarray(values[f"{layer.path}/kernel"]) + _update(layer)
    for weight in merged.weights:
        weight.assign(values[weight.path])
    merged.weights_source = model.weights_source
    return merged


def _layers_for(model: VisionModel, mixing: str) -> dict[str, Dense]:
    layers = {
        path: layer
        for path, layer in layers_by_path(model).items()
        if isinstance(layer, Dense) and mixing in ("all", _mixes(model, path))
    }
    if not layers:
        raise ValueError(f"`mixing`={mixing!r}: {model.name} has no dense layer of that kind.")
    return layers


def _mixes(model: VisionModel, path: str) -> str:
    return "tokens" if set(path.split("/")) & set(model.token_mixing.layers) else "channels"


def _check_layers(model: VisionModel, layers: dict[str, Dense], rank: int) -> None:
    if _with_factors(model):
        raise ValueError(f"`model` {model.name} has LoRA factors already.")
    for path, layer in layers.items():
        if layer.quantization_mode not in (None, "int8", "int4"):
            raise ValueError(
                f"`model` {model.name} is quantized to {layer.quantization_mode}, which takes no "
                "LoRA factors: int8 and int4 do."
            )
        side = min(layer.input_dim, layer.units)
        if rank > side:
            raise ValueError(
                f"`rank`={rank} is above the smaller side, {side}, of the kernel of {path}."
            )


def _check_head(model: VisionModel) -> None:
    head = layers_by_path(model).get("head")
    if head is not None and is_quantized(head):
        raise ValueError(
            f"`train_head` is True, and the classifier of {model.name} is quantized: it cannot be "
            "trained. `with_new_head` gives the model one that can."
        )


def _freeze_all_else(model: VisionModel, train_head: bool) -> None:
    unfreeze(model)
    for path, layer in layers_by_path(model).items():
        if has_lora(layer):
            for weight in layer.weights:
                weight.trainable = weight.name in LORA_FACTORS
        # A frozen block would freeze the factors inside.
        elif not (path == "head" and train_head) and not sublayers(layer):
            layer.trainable = False


def _with_factors(model: VisionModel) -> list[Dense]:
    return [layer for layer in layers_by_path(model).values() if has_lora(layer)]


def _update(layer: Dense) -> Array:
    factors = [np.asarray(getattr(layer, name)) for name in LORA_FACTORS]
    return layer.lora_alpha / layer.lora_rank * (factors[0] @ factors[1])
