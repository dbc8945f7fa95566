"""How the cost of an architecture grows with the image."""

import dataclasses
import inspect
import itertools
import math

from keras_mlp.analysis.cost import architecture_of, cost_of_variant
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.arguments import check_choice, check_pair

_MULTIPLES = (0.5, 1, 1.5, 2, 3, 4)


@dataclasses.dataclass(frozen=True)
class ResolutionCurve:
    """What one architecture costs at several image sizes.

    Attributes:
        name: of architecture and variant.
        costs: a `Cost` for each size, in the order asked for.
    """

    name: str
    costs: tuple

    def exponents(self):
        """How token mixing grows with the number of tokens: 1 is linear, 2 is quadratic.

        Returns:
            For each size, d log(MACs of token mixing) / d log(tokens) between the size before and
            this one; None for the first, and where the number of tokens is that before.
        """
        pairs = itertools.pairwise(self.costs)
        return [None, *(_exponent(before, after) for before, after in pairs)]

    def table(self):
        """Rows of a dict each: side, tokens, MACs of each part, and what `Cost` holds besides."""
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

    def __str__(self):
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


def resolution_curve(architecture, variant, sides=None, **overrides):
    """What a published size costs at several image sizes, without allocating its weights.

    All other arguments stay those of the variant: a Mixer keeps the width of its token MLPs, an
    `FFOnly` whose width is not given keeps four times its tokens.

    Args:
        architecture: class of the model, or its name in `ARCHITECTURES`.
        variant: a key of its `variants`.
        sides: image sides in pixels, numbers or pairs (H, W), in any order; None for those of 1/2,
            1, 3/2, 2, 3 and 4 times the variant's own sides that the design takes.
        **overrides: arguments of the constructor that differ from the published ones.

    Returns:
        A `ResolutionCurve`.

    Raises:
        ValueError: as for `cost_of_variant`. A size that the design does not take is refused in
            the words of its constructor: `VisionPermutator` wants square maps whose side divides
            the channels, `RepMLPNet` maps that its stages can halve.

    Example:

    >>> resolution_curve("ResMLP", "S12", sides=(224, 448)).exponents()
    [None, 2.0]
    """
    architecture = architecture_of(architecture)
    check_choice("variant", variant, architecture.variants)
    if "image_shape" in overrides:
        raise ValueError("`image_shape` cannot be given beside `sides`, which are its sides.")
    *own, channels = _own_image_shape(architecture, variant)
    costs = []
    for size in _sizes(sides, own):
        image_shape = (*size, channels)
        try:
            cost = cost_of_variant(architecture, variant, image_shape=image_shape, **overrides)
        except ValueError:
            if sides is None and list(size) != own:
                continue  # not asked for by name: the design does not take this multiple
            raise
        costs.append(cost)
    return ResolutionCurve(costs[0].name, tuple(costs))


def _own_image_shape(architecture, variant):
    default = inspect.signature(architecture.__init__).parameters["image_shape"].default
    return architecture.variants[variant].get("image_shape", default)


def _sizes(sides, own):
    if sides is None:
        return [tuple(int(side * multiple) for side in own) for multiple in _MULTIPLES]
    if not isinstance(sides, (tuple, list)) or not sides:
        raise ValueError(f"`sides` must be a tuple of image sides in pixels, got {sides!r}.")
    return [check_pair("sides", side) for side in sides]


def _exponent(before, after):
    growth = math.log(after.tokens / before.tokens)
    macs = after.parts["token_mixing"].macs / before.parts["token_mixing"].macs
    return round(math.log(macs) / growth, 10) if growth else None


def _row(cost, exponent):
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
