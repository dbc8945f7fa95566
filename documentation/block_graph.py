"""What a block computes, as the graph that Keras records when it is called on a symbolic tensor."""

import dataclasses
from typing import Any

import keras

from keras_mlp.layers import StochasticDepth
from keras_mlp.layers.tree import sublayers
from keras_mlp.models.block import Block
from keras_mlp.models.token_mixing import TokenMixing

TOKEN_MIXING, CHANNEL_MIXING, OTHER = "token_mixing", "channel_mixing", "other"

_JOINS = {"Add": "+", "Multiply": "\N{MULTIPLICATION SIGN}"}
# At inference each of these returns its input.
_PASS = (keras.layers.Dropout, keras.layers.Identity, StochasticDepth)


@dataclasses.dataclass(eq=False)
class Step:
    """A node of the graph: the block's input, a layer, a split, or a sum or product of tensors.

    Attributes:
        path: names of the layers around it and of itself inside the block, joined by "/".
        symbol: of a sum or product: "+", "×" or both; "" otherwise.
        layer: the layer; None if it is not one.
        part: what the architecture says that a layer does: "token_mixing", "channel_mixing" or
            "other"; "" where it says nothing, as of norms.
        over_tokens: whether it is a norm over the tokens of each channel.
        inputs: the steps whose outputs it takes.
        gates: layers whose outputs multiply one number per channel, which are drawn beside it.
    """

    path: str
    symbol: str = ""
    layer: keras.layers.Layer | None = None
    part: str = ""
    over_tokens: bool = False
    inputs: list["Step"] = dataclasses.field(default_factory=list)
    gates: list["Step"] = dataclasses.field(default_factory=list)

    @property
    def around(self) -> str:
        """The path of the layer that contains it."""
        return self.path.rpartition("/")[0]


def opened_layers(block: Block, mixing: TokenMixing) -> list[keras.layers.Layer]:
    """The layers whose inside shows how tokens are mixed: the architecture names layers in them."""
    named = {*mixing.layers, *mixing.parts}
    return [
        layer
        for layer in sublayers(block)
        if any(each.name in named and each.name != layer.name for each in sublayers(layer))
    ]


def block_graph(block: Block, mixing: TokenMixing) -> list[Step]:
    """The steps of a block, from its input to its output, in the order of the computation.

    Args:
        block: a built block; its weights need no values.
        mixing: the `token_mixing` of its architecture, which names the layers that mix.

    Returns:
        A list of `Step`. The last one is the output.
    """
    reader = _Reader(block, mixing)
    shape = block.get_build_config()["input_shape"]
    inputs = keras.Input(batch_shape=shape)
    output, _ = block.residuals(inputs, False)
    last = reader.step(output)
    joined = _with_joins_merged(_in_order(last))
    return _in_order(_with_gates_aside(joined)[-1])


class _Reader:
    """Turns the nodes before a symbolic tensor into steps, once each."""

    def __init__(self, block: Block, mixing: TokenMixing) -> None:
        self.mixing = mixing
        self.opened = opened_layers(block, mixing)
        self.seen: dict[tuple[int, int], Step] = {}

    def step(self, tensor: Any, around: str = "") -> Step:
        history = tensor._keras_history
        key = (id(history.operation), history.node_index)
        if key not in self.seen:
            node = history.operation._inbound_nodes[history.node_index]
            self.seen[key] = self._new_step(node, around)
        return self.seen[key]

    def _new_step(self, node: Any, around: str) -> Step:
        operation, name = node.operation, type(node.operation).__name__
        if node.is_input:
            return Step("input")
        inputs = [self.step(each, around) for each in node.input_tensors]
        if operation in self.opened:
            # Its inputs, read above, are steps around it: reading its inside ends at them.
            inside = operation.call(*node.arguments.args, **node.arguments.kwargs)
            return self.step(inside, f"{around}{operation.name}/")
        path = f"{around}{operation.name}"
        if name in _JOINS and len(set(inputs)) > 1:
            return Step(path, symbol=_JOINS[name], inputs=inputs)
        if isinstance(operation, keras.layers.Layer) and not isinstance(operation, _PASS):
            over_tokens = f"{path}/gamma" in self.mixing.axes
            return Step(path, "", operation, self._part(path), over_tokens, inputs)
        if name == "Split":
            return Step(path, inputs=inputs)
        return inputs[0]  # the same numbers in another order, or one of several outputs

    def _part(self, path: str) -> str:
        names = path.split("/")
        if names[-1] in self.mixing.layers:
            return TOKEN_MIXING
        return next((self.mixing.parts[n] for n in reversed(names) if n in self.mixing.parts), "")


def _with_joins_merged(steps: list[Step]) -> list[Step]:
    """Sums of sums as one sum, and a product with one number per channel into its sum."""
    users = {step: [each for each in steps if step in each.inputs] for step in steps}

    def merges(inner: Step, outer: Step) -> bool:
        both = bool(inner.symbol and outer.symbol)
        return both and inner.around == outer.around and users[inner] == [outer]

    for step in steps:  # each after its inputs, which are thus merged already
        for inner in [each for each in step.inputs if merges(each, step)]:
            at = step.inputs.index(inner)
            step.inputs[at : at + 1] = inner.inputs
            step.symbol = "".join(sorted({*step.symbol, *inner.symbol}, reverse=True))
            for each in inner.inputs:
                users[each] = [step if user is inner else user for user in users[each]]
        step.inputs = list(dict.fromkeys(step.inputs))
    return steps


def _with_gates_aside(steps: list[Step]) -> list[Step]:
    """Layers outside both kinds of mixing that multiply a sum, as gates of it."""
    for step in steps:
        if step.symbol:
            step.gates = [each for each in step.inputs if each.part == OTHER]
            step.inputs = [each for each in step.inputs if each.part != OTHER]
    return steps


def _in_order(last: Step) -> list[Step]:
    """All steps before one, and itself, each after its inputs."""
    found: dict[Step, None] = {}

    def visit(step: Step) -> None:
        for each in step.inputs:
            if each not in found:
                visit(each)
        found[step] = None

    visit(last)
    return list(found)
