"""How the cost of an architecture grows with the image."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

from keras_mlp.analysis.cost import Cost, architecture_of, cost_of_variant
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.arguments import check_choice, check_pair, shown
from keras_mlp.models import VisionModel
from keras_mlp.typing import Pair

_MULTIPLES = (0.5, 1, 1.5, 2, 3, 4)


@dataclasses.dataclass(frozen=True)
class ResolutionCurve:
    """What one architecture costs at several image sizes.

    Attributes:
        name: architecture and variant.
        costs: a `Cost` for each size, in the requested order.
    """

    name: str
    costs: tuple[Cost, ...]

    def exponents(self) -> list[float | None]:
        """Returns how token mixing grows with the number of tokens: 1 is linear, 2 quadratic.

        Returns:
            For each size, d log(MACs of token mixing) / d log(tokens) from the previous size to
            this one; None for the first, and where the number of tokens does not change.
        """
        pairs = itertools.pairwise(self.costs)
        return [None, *(_exponent(before, after) for before, after in pairs)]

    def table(self) -> list[dict[str, Any]]:
        """Returns a dict per size: image, tokens, MACs of each part, and the totals of `Cost`."""
        return [
            {
                "image": cost.image_shape[:2],
                "tokens": cost.tokens,
                **{f"{name}_macs": part.macs for name, part in cost.parts.items()},
                "macs": cost.macs,
                "token_mixing_exponent": exponent,
                "parameters": cost.parameters,
                "training_bytes": cost.training_bytes,
                "inference_bytes": cost.inference_bytes,
            }
            for cost, exponent in zip(self.costs, self.exponents(), strict=True)
        ]

    def __str__(self) -> str:
        header = [
            "image",
            "tokens",
            "token mixing GMACs",
            "exponent in tokens",
            "channel mixing GMACs",
            "rest GMACs",
            "parameters M",
            "training MB",
            "inference MB",
        ]
        rows = [_row(cost, each) for cost, each in zip(self.costs, self.exponents(), strict=True)]
        return f"{self.name}\n\n{markdown_table(header, rows)}"


def resolution_curve(
    architecture: type[VisionModel] | str,
    variant: str,
    sides: Sequence[Pair] | None = None,
    **overrides: Any,
) -> ResolutionCurve:
    """Computes the cost of a published size at several image sizes, without allocating weights.

    All other arguments remain those of the variant: a Mixer keeps the width of its token MLPs, and
    an `FFOnly` without a given width keeps four times its tokens.

    Args:
        architecture: class of the model, or its name in `ARCHITECTURES`.
        variant: a key of its `variants`.
        sides: image sides in pixels, numbers or pairs (H, W), in any order; None for 1/2, 1, 3/2,
            2, 3 and 4 times the sides of the variant, without those that the design does not allow.
        **overrides: arguments of the constructor that override the published ones.

    Returns:
        A `ResolutionCurve`.

    Raises:
        ValueError: as for `cost_of_variant`, or the constructor refuses a size that the design does
            not allow: `VisionPermutator` without `segments` needs square maps whose side divides
            the channels, `RepMLPNet` maps that its stages can halve.

    Example:

    >>> resolution_curve("ResMLP", "S12", sides=(224, 448)).exponents()
    [None, 2.0]
    """
    kind = architecture_of(architecture)
    check_choice("variant", variant, kind.variants)
    if "image_shape" in overrides:
        raise ValueError("`image_shape` cannot be given: `sides` sets it.")
    *own, channels = kind.variants[variant]["image_shape"]
    costs = []
    for size in _sizes(sides, own):
        image_shape = (*size, channels)
        try:
            cost = cost_of_variant(kind, variant, image_shape=image_shape, **overrides)
        except ValueError:
            if sides is None and list(size) != own:
                continue  # a default multiple that the design does not allow
            raise
        costs.append(cost)
    return ResolutionCurve(costs[0].name, tuple(costs))


def _sizes(sides: Sequence[Pair] | None, own: Sequence[int]) -> list[tuple[int, ...]]:
    if sides is None:
        return [tuple(int(side * multiple) for side in own) for multiple in _MULTIPLES]
    if not isinstance(sides, (tuple, list)) or not sides:
        raise ValueError(f"`sides` must be a tuple of image sides in pixels, got {shown(sides)}.")
    return [check_pair("sides", side) for side in sides]


def _exponent(before: Cost, after: Cost) -> float | None:
    growth = math.log(after.tokens / before.tokens)
    macs = after.parts["token_mixing"].macs / before.parts["token_mixing"].macs
    return round(math.log(macs) / growth, 10) if growth else None


def _row(cost: Cost, exponent: float | None) -> tuple[Any, ...]:
    height, width, _ = cost.image_shape
    mixing, channels = (cost.parts[part].macs for part in ("token_mixing", "channel_mixing"))
    return (
        f"{height} x {width}",
        cost.tokens,
        f"{mixing / 1e9:.3f}",
        "" if exponent is None else f"{exponent:.2f}",
        f"{channels / 1e9:.3f}",
        f"{(cost.macs - mixing - channels) / 1e9:.3f}",
        f"{cost.parameters / 1e6:.2f}",
        f"{cost.training_bytes / 1e6:.1f}",
        f"{cost.inference_bytes / 1e6:.1f}",
    )
