"""timm's counterpart of an architecture."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class TimmModel:
    """How timm builds the models of an architecture.

    Attributes:
        names: from a variant to timm's name for it.
        builder: full name of the class that builds the other sizes.
        sizes: from a model to the builder's arguments that state its sizes.
        options: from a model to what `timm.create_model` and the builder both take.
        has: whether timm has this network, at whatever size.
        takes_image_size: whether timm's model is built for one image size.
    """

    names: Mapping[str, str]
    builder: str
    sizes: Callable[[Any], dict[str, Any]]
    options: Callable[[Any], dict[str, Any]] = lambda model: {}
    has: Callable[[Any], bool] = lambda model: True
    takes_image_size: bool = True


def mixer_sizes(model: Any, ratio: Any, **layers: str) -> dict[str, Any]:
    """The sizes of a model that timm builds by its `MlpMixer`."""
    return {
        "patch_size": model.patch_size,
        "num_blocks": model.num_layers,
        "embed_dim": model.hidden_dim,
        "mlp_ratio": ratio,
        **layers,
    }


def mlp_ratio(width: int, channels: int) -> float:
    """The factor that gives `width` under timm's `int(channels * factor)`."""
    exact = width / channels
    return exact if int(channels * exact) == width else (width + 0.5) / channels
