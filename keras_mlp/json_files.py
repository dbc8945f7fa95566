"""Reads and writes the JSON files of this package and its programs.

JSON has no NaN and no infinity; Python's `json` writes them nevertheless, and most other readers
then refuse the whole file. Here they become null, which our readers show as "not finite".
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from keras_mlp.errors import first_line
from keras_mlp.whole_files import write_text

# What the reader raises for damaged bytes, and `check` for a tree of another shape.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def _unchecked(tree: Any) -> None:
    pass


def json_text(tree: Any, *, indent: int | None = None, ascii_only: bool = True) -> str:
    """Writes a tree as JSON that every reader accepts.

    Args:
        tree: dicts, lists, tuples, dataclasses, strings, numbers, bools and None. A float that is
            not finite becomes null.
        indent: spaces per level; None for a single line.
        ascii_only: escape all other characters.

    Returns:
        The text, without a line break at its end.
    """
    return json.dumps(_strict(tree), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def write_json(file: str | os.PathLike[str], tree: Any, *, indent: int | None = 2) -> None:
    """Writes a tree to a file, whole or not at all; arguments as for `json_text`.

    Raises:
        OSError: the file cannot be written; it is as it was before.
    """
    write_text(file, f"{json_text(tree, indent=indent)}\n")


def _strict(tree: Any) -> Any:
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else None
    if isinstance(tree, dict):
        return {key: _strict(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_strict(value) for value in tree]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return _strict(dataclasses.asdict(tree))
    return tree


def parsed(text: str) -> Any:
    """The tree that a JSON text spells. NaN and infinities, which are no JSON, become None."""
    return json.loads(text, parse_constant=lambda name: None)


def read_json(
    file: str | os.PathLike[str], way_out: str, check: Callable[[Any], object] = _unchecked
) -> Any:
    """Reads a JSON file of ours.

    Args:
        file: path of the file.
        way_out: a sentence that tells the user what to do if the file is damaged.
        check: function of the tree that uses what the caller needs of it. An error in it means that
            the file is damaged.

    Returns:
        The tree: dicts, lists, strings, numbers, bools and None.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged or cannot be read.
    """
    with _named_damage(file, way_out):
        tree = parsed(pathlib.Path(file).read_text(encoding="utf-8"))
        check(tree)
    return tree


def read_json_lines(
    file: str | os.PathLike[str],
    way_out: str,
    check: Callable[[Any], object] = _unchecked,
    *,
    unfinished: bool = False,
) -> list[Any]:
    """Reads a file of ours with a JSON tree on each line; arguments and errors as for `read_json`.

    Args:
        unfinished: ignore a last line without a line break, which a killed process leaves.

    Returns:
        The trees, in order.
    """
    with _named_damage(file, way_out):
        lines = pathlib.Path(file).read_text(encoding="utf-8").splitlines(keepends=True)
        if unfinished and lines and not lines[-1].endswith("\n"):
            lines.pop()
        trees = [parsed(line) for line in lines]
        for tree in trees:
            check(tree)
    return trees


@contextlib.contextmanager
def _named_damage(file: str | os.PathLike[str], way_out: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    except _DAMAGE as error:
        reason = f"{type(error).__name__}({first_line(error)})"
        raise ValueError(f"{file} is damaged: {reason}. {way_out}") from error
