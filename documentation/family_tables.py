"""What the block of each architecture costs, as tables of docs/families.md."""

import math
from collections.abc import Mapping

from keras_mlp.analysis import PARTS, Cost, cost, resolution_curve
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.models import VisionModel


def parts_table(model: VisionModel) -> str:
    """Parameters, MACs and MACs per parameter of each part of a model."""
    counted = cost(model)
    rows = [
        (name.replace("_", " "), f"{parameters:,}", f"{macs:,}", _per_parameter(parameters, macs))
        for name, parameters, macs in counted.table()
    ]
    return markdown_table(["part", "parameters", "MACs", "MACs per parameter"], rows)


def reuse_table(models: Mapping[str, VisionModel]) -> str:
    """MACs per parameter, a row per model and a column per part.

    Args:
        models: from architecture and variant, such as "ViT S/16", to the model.
    """
    costs = {title: cost(model) for title, model in models.items()}
    header = ["model", "parameters M", "GMACs", *(part.replace("_", " ") for part in PARTS), "all"]
    rows = [
        (
            title,
            f"{each.parameters / 1e6:.2f}",
            f"{each.macs / 1e9:.2f}",
            *(_per_parameter(each.parts[p].parameters, each.parts[p].macs) for p in PARTS),
            f"{each.macs_per_parameter:.0f}",
        )
        for title, each in costs.items()
    ]
    return markdown_table(header, rows)


def growth_table(models: Mapping[str, VisionModel]) -> str:
    """How token mixing grows when both sides of the image are doubled."""
    rows = []
    for title, model in models.items():
        side = model.image_shape[0]
        curve = resolution_curve(type(model), title.split()[1], sides=(side, 2 * side))
        before, after = curve.costs
        kinds = ("macs", "parameters")
        growth = (_exponent(before, after, kind) for kind in kinds)
        rows.append((title, f"{before.tokens} → {after.tokens}", *growth))
    header = ["model", "tokens", "MACs of token mixing", "parameters of token mixing"]
    return markdown_table(header, rows)


def _exponent(before: Cost, after: Cost, kind: str) -> str:
    first, second = (getattr(each.parts["token_mixing"], kind) for each in (before, after))
    if not first:
        return "none"
    exponent = math.log(second / first) / math.log(after.tokens / before.tokens)
    return f"tokens^{exponent:.2f}" if exponent else "constant"


def _per_parameter(parameters: int, macs: int) -> str:
    return f"{macs / parameters:,.0f}" if parameters else "no parameters" if macs else ""
