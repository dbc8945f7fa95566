"""What a model costs, how cost grows with the image, and what its token mixing has learned."""

from keras_mlp.analysis.cost import PARTS, Cost, PartCost, cost, cost_of_variant
from keras_mlp.analysis.resolution import ResolutionCurve, resolution_curve
from keras_mlp.analysis.side_by_side import published_costs, side_by_side
from keras_mlp.analysis.token_influence import TokenInfluence, token_influence
from keras_mlp.analysis.token_mixing_maps import token_mixing_maps
from keras_mlp.analysis.weightless import weightless

__all__ = [
    "PARTS",
    "Cost",
    "PartCost",
    "ResolutionCurve",
    "TokenInfluence",
    "cost",
    "cost_of_variant",
    "published_costs",
    "resolution_curve",
    "side_by_side",
    "token_influence",
    "token_mixing_maps",
    "weightless",
]
