"""What a model costs: parameters, multiply-accumulates and activation memory, part by part."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import keras

from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.analysis.weightless import weightless
from keras_mlp.analysis.work import BETWEEN, tokens, works
from keras_mlp.arguments import check_choice
from keras_mlp.models import ARCHITECTURES, VisionModel, check_model
from keras_mlp.typing import ImageShape

PARTS = ("stem", "token_mixing", "channel_mixing", "head", "other")

# The parts of layers outside the blocks. Those of layers inside are the architecture's to say.
_OUTSIDE = {"stem": "stem", "head": "head", "pre_logits": "head"}


@dataclasses.dataclass(frozen=True)
class PartCost:
    """Parameters and multiply-accumulates per image of a part of a model."""

    parameters: int = 0
    macs: int = 0


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a model costs for one image.

    Parts: `token_mixing` holds the products in which one position of the grid reads another: token
    MLPs, spatial weights, Vision Permutator's height and width, RepMLPNet's matrices with the
    convolutions beside them, and of attention the two products without weights. `channel_mixing`
    holds those that act on each position alone, queries, keys, values and projections included.
    `other` holds what happens between blocks (downsampling), once per channel (RepMLPNet's global
    perceptron, Vision Permutator's reweighting), and the parameters without a product: norms,
    scales, positions, class token. The interpolation of FF-only's positions is not counted: it
    depends on no image.

    Attributes:
        name: of the model.
        image_shape: (H, W, channels).
        tokens: positions that the first block mixes, class token included.
        parts: from each name in `PARTS` to its `PartCost`.
        trainable_parameters: those that are not frozen now.
        batch_norm_statistics: moving means and variances, which papers do not count and
            `parameters` does not hold; `model.count_params()` holds both.
        training_bytes: of what a training step keeps of an image until its backward pass: results
            of products, norms, scales and activation functions, attention maps and the normalised
            image, once each, in the compute dtype. Residual sums are not added: each stands for the
            last result of its branch, which the backward pass does not read. Nor are copies by
            transposition, dropout masks, weights or gradients.
        inference_bytes: the most that a single product holds at once at inference: its input, its
            output and, inside a block, the block's input, which waits for the residual. A program
            that runs product after product (flash attention does not) cannot do with less.
    """

    name: str
    image_shape: ImageShape
    tokens: int
    parts: dict[str, PartCost]
    trainable_parameters: int
    batch_norm_statistics: int
    training_bytes: int
    inference_bytes: int

    @property
    def parameters(self) -> int:
        """Parameters as papers count them: without BatchNorm statistics."""
        return sum(part.parameters for part in self.parts.values())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all products; biases, norms and activations are not counted."""
        return sum(part.macs for part in self.parts.values())

    @property
    def macs_per_parameter(self) -> float:
        """How often a parameter is used for one image, on average."""
        return self.macs / self.parameters

    def table(self) -> list[tuple[str, int, int]]:
        """Rows (name of the part, parameters, macs), the last one the total."""
        rows = [(name, part.parameters, part.macs) for name, part in self.parts.items()]
        return [*rows, ("total", self.parameters, self.macs)]

    def __str__(self) -> str:
        height, width, _ = self.image_shape
        rows = [(name, f"{parameters:,}", f"{macs:,}") for name, parameters, macs in self.table()]
        return (
            f"{self.name}, {height} x {width} pixels, {self.tokens} tokens\n"
            f"{markdown_table(['part', 'parameters', 'MACs'], rows)}\n"
            f"{self.macs_per_parameter:.0f} MACs per parameter; "
            f"{self.trainable_parameters:,} parameters are trainable; "
            f"{self.batch_norm_statistics:,} BatchNorm statistics\n"
            f"activations of one image: {self.training_bytes / 1e6:.3g} MB kept in training, "
            f"at least {self.inference_bytes / 1e6:.3g} MB at once at inference"
        )


def cost(model: VisionModel) -> Cost:
    """Counts what a model costs for one image.

    Args:
        model: a `VisionModel`, possibly made by `weightless`. Nothing is run.

    Returns:
        A `Cost`.

    Raises:
        ValueError: `model` is not a keras_mlp model.

    Example:

    >>> cost(MLPMixer.from_variant("pico/2")).parts["stem"].macs  # 16 patches x 12 x 64
    12288
    """
    check_model(model)
    parts = dict.fromkeys(PARTS, PartCost())
    trainable = statistics = kept = peak = 0
    for work in works(model):
        counted = [each for each in work.weights if not _is_statistic(each)]
        statistics += _numbers(each for each in work.weights if _is_statistic(each))
        trainable += _numbers(each for each in counted if each.trainable)
        kept += (work.results + work.activations) * work.number_bytes
        peak = max(peak, work.holds * work.number_bytes)
        name = _part(model, work.path)
        part = parts[name]
        parts[name] = PartCost(part.parameters + _numbers(counted), part.macs + work.macs)
    return Cost(
        model.name, model.image_shape, tokens(model), parts, trainable, statistics, kept, peak
    )


def cost_of_variant(architecture: type[VisionModel] | str, variant: str, **overrides: Any) -> Cost:
    """Counts what a published size costs, without allocating its weights.

    Args:
        architecture: class of the model, or its name in `ARCHITECTURES`, such as "ViT".
        variant: a key of its `variants`, such as "H/14".
        **overrides: arguments of the constructor that differ from the published ones, such as
            `image_shape` or `deployed`.

    Returns:
        A `Cost`; its name is that of architecture and variant.

    Raises:
        ValueError: the architecture or the variant is unknown, or an argument is wrong.

    Example:

    >>> round(cost_of_variant("ViT", "H/14").macs / 1e9, 1)
    167.3
    """
    architecture = architecture_of(architecture)
    model = weightless(architecture.from_variant, variant, **overrides)
    name = f"{architecture.__name__} {variant}"
    if getattr(model, "deployed", False):
        name += " deployed"
    return dataclasses.replace(cost(model), name=name)


def architecture_of(value: Any) -> type[VisionModel]:
    """The class of a model, from itself or its name; ValueError for anything else."""
    if isinstance(value, type) and issubclass(value, VisionModel):
        return value
    return ARCHITECTURES[check_choice("architecture", value, ARCHITECTURES)]


def _is_statistic(weight: keras.Variable) -> bool:
    return weight.name in ("moving_mean", "moving_variance")


def _numbers(weights: Iterable[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _part(model: VisionModel, path: str) -> str:
    """The part of the innermost layer of a path that has one."""
    names = path.split("/")
    if names[-1] == BETWEEN:
        return "token_mixing"
    parts = {**_OUTSIDE, **model.token_mixing.parts}
    return next((parts[name] for name in reversed(names) if name in parts), "other")
