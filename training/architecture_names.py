"""The names that a page may use for an architecture of keras_mlp, its variants and its arguments.

They are read from the source of keras_mlp. Importing it would import Keras, which takes seconds,
and a mistyped name should not cost them.
"""

import ast
import dataclasses
import functools
import importlib.util
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from training.field_types import check_value, describe_choices

# Arguments that other keys of the config set.
_SET_ELSEWHERE = ("num_classes", "dtype")
# Arguments that `from_preset` takes besides those of the constructor.
_OF_PRESETS = ("file", "cache_dir", "verbose")


@dataclasses.dataclass(frozen=True)
class Names:
    """What an architecture has.

    Attributes:
        variants: names of its sizes.
        arguments: names of its constructor's arguments.
    """

    variants: tuple[str, ...]
    arguments: tuple[str, ...]


@functools.cache
def architecture_names() -> dict[str, Names]:
    """The names of every architecture, in the order of `keras_mlp.ARCHITECTURES`."""
    package = importlib.util.find_spec("keras_mlp")
    assert package is not None and package.submodule_search_locations is not None
    folder = pathlib.Path(package.submodule_search_locations[0], "models")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in folder.glob("*.py")]
    nodes = [node for tree in trees for node in tree.body]
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    table = next(
        node.value
        for node in nodes
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "ARCHITECTURES"
    )
    return {name: _names_in(classes[name]) for name in _keys(table)}


def check_architecture(key: str, name: str) -> None:
    """Raises ValueError that names `key`, of a config, unless keras_mlp has an architecture."""
    check_value(key, name, Literal[tuple(architecture_names())])


def check_names(
    architecture: str, variant: str, arguments: dict[str, Any], preset: str = ""
) -> None:
    """Raises ValueError unless keras_mlp has an architecture, its variant and its arguments.

    Args:
        architecture, variant, arguments, preset: keys of the section `model` of a config.
    """
    check_architecture("model.architecture", architecture)
    names = architecture_names()[architecture]
    check_value("model.variant", variant, Literal[names.variants])
    allowed = [name for name in names.arguments if name not in _SET_ELSEWHERE]
    of_preset = _OF_PRESETS if preset else ()
    check_arguments(architecture, [each for each in arguments if each not in of_preset], allowed)


def check_arguments(architecture: str, arguments: Iterable[str], allowed: Sequence[str]) -> None:
    """Raises ValueError for the first of `model.arguments` that an architecture does not take."""
    for name in arguments:
        if name not in allowed:
            raise ValueError(
                f"`model.arguments.{name}`: {architecture} has no argument {name!r}. "
                f"{describe_choices(name, allowed)}"
            )


def _names_in(architecture: ast.ClassDef) -> Names:
    variants: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    for node in architecture.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "variants":
            variants = _keys(node.value)
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            given = [*node.args.args[1:], *node.args.kwonlyargs]
            arguments = tuple(each.arg for each in given)
    return Names(variants, arguments)


def _keys(table: ast.expr | None) -> tuple[str, ...]:
    assert isinstance(table, ast.Dict)
    return tuple(ast.literal_eval(key) for key in table.keys if key is not None)
