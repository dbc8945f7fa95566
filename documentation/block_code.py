"""How a block of one architecture differs from that of another, as code."""

import difflib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from documentation.block_graph import opened_layers
from keras_mlp.models import VisionModel
from keras_mlp.models.block import Block

_METHODS = ("residuals", "token_mixing", "channel_mixing")


def block_code(model: VisionModel) -> str:
    """What a block computes: its own methods, and `call` of the layers inside that it names.

    Args:
        model: of the architecture; its weights need no values.

    Returns:
        Python code.
    """
    block = model.blocks[-1]
    own = [getattr(type(block), name) for name in _METHODS]
    # The order of the branches is part of what they compute.
    own = [each for each in own if each is not Block.residuals]
    calls = [type(layer).call for layer in opened_layers(block, model.token_mixing)]
    return "\n".join(_source(each) for each in [*own, *calls])


def _source(function: Callable[..., Any]) -> str:
    code = textwrap.dedent(inspect.getsource(function))
    name = function.__qualname__.partition(".")[0]
    return f"# {name}\n{code}" if function.__name__ == "call" else code


def code_diff(before: str, after: str) -> str:
    """All lines of two programs: those of the first only after "-", of the second only after "+".

    >>> print(code_diff("a\\nb\\n", "a\\nc\\n"))
     a
    -b
    +c
    """
    lines: Sequence[str] = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1000)
    )
    return "\n".join(line.rstrip() for line in lines[3:])
