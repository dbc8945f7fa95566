"""Reads the JSON files that this package and its programs write."""

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from keras_mlp.errors import first_line

# What the reader raises for damaged bytes, and `check` for a tree of another shape.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def _unchecked(tree: Any) -> None:
    pass


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
        tree = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
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
        trees = [json.loads(line) for line in lines]
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
