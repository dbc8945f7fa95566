"""All published sizes beside each other."""

import inspect

from keras_mlp.analysis.cost import cost_of_variant
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.models import ARCHITECTURES

_OURS = ("nano/", "pico/")


def published_costs():
    """A `Cost` for every size of the papers, RepMLPNet's in both forms; takes about a minute.

    Returns:
        An iterator, in the order of `ARCHITECTURES`.
    """
    for name, architecture in ARCHITECTURES.items():
        for variant in architecture.variants:
            if not variant.startswith(_OURS):
                yield from costs_of_forms(name, variant)


def costs_of_forms(name, variant):
    """A `Cost` for each form of a size: the one that trains, and the deployed one if there is."""
    yield cost_of_variant(name, variant)
    if "deployed" in inspect.signature(ARCHITECTURES[name]).parameters:
        yield cost_of_variant(name, variant, deployed=True)


def side_by_side(costs):
    """A table of several `Cost`s in Markdown, one a row.

    Behind the parameters stands the share that is in token mixing, behind the multiply-accumulates
    the shares of token and channel mixing; memory is that of the activations of one image.

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


def _row(cost):
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
