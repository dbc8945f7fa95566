"""How a block of one architecture differs from that of another, as code."""

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from documentation.block_graph import opened_layers
from keras_mlp.models import VisionModel
from keras_mlp.models.block import Block

_METHODS = ("residuals", "token_mixing", "channel_mixing")
# Arguments that layers only pass on to those inside them.
_PASSED_ON = ("training", "grids")


def block_code(model: VisionModel) -> str:
    """What a block computes: its own methods, and `call` of the layers inside that it names.

    Args:
        model: of the architecture; its weights need no values.

    Returns:
        Python code, without type annotations, comments and arguments that are only passed on.
    """
    block = model.blocks[-1]
    # Those that the architecture does not write itself are the same in all, or not called.
    own = [getattr(type(block), name) for name in _METHODS]
    own = [each for each in own if each not in vars(Block).values()]
    calls = [type(layer).call for layer in opened_layers(block, model.token_mixing)]
    return "\n\n".join(_source(each) for each in [*own, *calls]) + "\n"


def code_diff(before: str, after: str) -> str:
    """All lines of two programs: those of the first only after "-", of the second only after "+".

    >>> print(code_diff("a\\nb\\n", "a\\nc\\n"))
     a
    -b
    +c
    """
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1000)
    return "\n".join(line.rstrip() for line in list(lines)[3:])


def _source(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    code = ast.unparse(_Essence().visit(tree))
    owner = function.__qualname__.partition(".")[0]
    return f"# {owner}\n{code}" if function.__name__ == "call" else code


class _Essence(ast.NodeTransformer):
    """Removes what does not say what a function computes."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        # Defaults belong to the last arguments.
        without = len(node.args.args) - len(node.args.defaults)
        kept = [
            (arg, node.args.defaults[at - without] if at >= without else None)
            for at, arg in enumerate(node.args.args)
            if arg.arg not in _PASSED_ON
        ]
        node.args.args = [ast.arg(arg.arg) for arg, _ in kept]
        node.args.defaults = [default for _, default in kept if default is not None]
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        node.args = [each for each in node.args if getattr(each, "id", None) not in _PASSED_ON]
        node.keywords = [each for each in node.keywords if each.arg not in _PASSED_ON]
        return node
