"""All published sizes side by side."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from keras_mlp.analysis.cost import Cost, cost_of_variant
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.models import ARCHITECTURES

_OURS = ("nano/", "pico/")


def published_costs() -> Iterator[Cost]:
    """Yields a `Cost` for every published size, RepMLPNet's in both forms; takes about a minute.

    Yields:
        Costs in the order of `ARCHITECTURES`.
    """
    for name, architecture in ARCHITECTURES.items():
        for variant in architecture.variants:
            if not variant.startswith(_OURS):
                yield from costs_of_forms(name, variant)


def costs_of_forms(name: str, variant: str) -> Iterator[Cost]:
    """Yields a `Cost` for the training form of a size, and for its deployed form if it has one."""
    yield cost_of_variant(name, variant)
    if "deployed" in inspect.signature(ARCHITECTURES[name]).parameters:
        yield cost_of_variant(name, variant, deployed=True)


def side_by_side(costs: Iterable[Cost]) -> str:
    """Returns a Markdown table with one row per `Cost`.

    The parameters are followed by the share that is in token mixing, the multiply-accumulates by
    the shares of token and channel mixing. Memory is that of the activations of one image.

    Example:

    >>> print(side_by_side([cost_of_variant("MLPMixer", "S/16")]).splitlines()[0][:27])
    | model         |    pixels
    """
    header = [
        "model",
        "pixels",
        "tokens",
        "parameters M",
        "in token mixing",
        "GMACs",
        "token mixing",
        "channel mixing",
        "MACs per parameter",
        "training MB",
        "inference MB",
    ]
    return markdown_table(header, [_row(cost) for cost in costs])


def _row(cost: Cost) -> tuple[Any, ...]:
    height, width, _ = cost.image_shape
    mixing, channels = (cost.parts[part] for part in ("token_mixing", "channel_mixing"))
    return (
        cost.name,
        f"{height} x {width}",
        cost.tokens,
        f"{cost.parameters / 1e6:.2f}",
        f"{mixing.parameters / cost.parameters:.0%}",
        f"{cost.macs / 1e9:.2f}",
        f"{mixing.macs / cost.macs:.0%}",
        f"{channels.macs / cost.macs:.0%}",
        f"{cost.macs_per_parameter:.0f}",
        f"{cost.training_bytes / 1e6:.1f}",
        f"{cost.inference_bytes / 1e6:.1f}",
    )
