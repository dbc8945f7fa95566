"""Types of config values: what a key accepts, how text becomes a value, and what errors say."""

import ast
import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal

LARGEST = 10**12  # an integer of this size fits 64 bits, a number of this size float32


@dataclasses.dataclass(frozen=True)
class Range:
    """Bounds of a number, for an `Annotated` type.

    Attributes:
        lowest: smallest number allowed.
        highest: largest number allowed; `LARGEST` where no bound is worth naming.
        below: exclude `highest` itself.
    """

    lowest: float
    highest: float = LARGEST
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is within the bounds; NaN never is."""
        return self.lowest <= value <= self.highest and not (self.below and value == self.highest)

    def describe(self, noun: str) -> str:
        """The numbers within the bounds in words: "a positive integer", "a number from 0 to 1"."""
        if self.highest == LARGEST and self.lowest in _SIGNS:
            return f"a {_SIGNS[self.lowest]} {noun}"
        article = "an" if noun == "integer" else "a"
        if self.below:
            return f"{article} {noun} in [{self.lowest}, {self.highest})"
        return f"{article} {noun} from {self.lowest} to {self.highest}"


_SIGNS: dict[float, str] = {1: "positive", 0: "non-negative", -LARGEST: "finite"}

PositiveInt = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]
Finite = Annotated[float, Range(-LARGEST)]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]


def check_value(key: str, value: object, annotation: Any) -> None:
    """Raises ValueError unless a value fits the type of its key.

    Args:
        key: full name of the key, such as "data.batch_size", for the error.
        value: what the key is set to.
        annotation: type of the key: `bool`, `str`, a number `Annotated` with its `Range`, a
            `Literal`, or a tuple, a dict or a union of such types.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and isinstance(value, tuple) and arguments[-1] is ...:
        for index, element in enumerate(value):
            check_value(f"{key}[{index}]", element, arguments[0])
    elif origin is dict and isinstance(value, dict):
        for name, element in value.items():
            check_value(f"{key}.{name}", element, arguments[1])
    elif not _fits(value, annotation):
        if origin is Literal:
            raise ValueError(f"`{key}` is {shown(value)}. {describe_choices(value, arguments)}")
        raise ValueError(f"`{key}` must be {_describe(annotation, value)}, got {shown(value)}.")


def convert(text: str, annotation: Any) -> Any:
    """Turns text from the command line into a value, which `check_value` then judges.

    Args:
        text: a Python literal, or plain text for a key that accepts text. A tuple may be written
            as a list, and a tuple of one element as that element.
        annotation: type of the key.
    """
    kinds = _kinds(annotation)
    if str in kinds:
        return None if types.NoneType in kinds and text == "None" else text
    value = parse_literal(text)
    if tuple in kinds:
        return _as_tuple(value) if isinstance(value, tuple | list) else (value,)
    return value


def parse_literal(text: str) -> Any:
    """The Python literal that a text spells, or the text itself if it spells none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


# `keras_mlp.arguments` has a function like this one, which is out of reach here: importing anything
# of keras_mlp imports Keras, and an error in a config must not wait seconds for that.
def describe_choices(value: object, choices: Iterable[object]) -> str:
    """A sentence with the choice nearest to a value, if one is near, and all of them."""
    names = {str(choice): repr(choice) for choice in choices}
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]}? " if near else ""
    return f"{hint}Allowed: {', '.join(names.values())}."


def shown(value: object) -> str:
    """`repr(value)`, shortened if it is long."""
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:197]}..."


def _fits(value: Any, annotation: Any) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return _is_storable(value)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if origin is Annotated:
        return _fits(value, arguments[0]) and arguments[1].holds(value)
    if origin is tuple and isinstance(value, tuple):
        elements = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        return len(value) == len(elements) and all(map(_fits, value, elements))
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in arguments)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or annotation)


def _is_storable(value: Any) -> bool:
    """Whether a config's JSON file can hold a value, so that a run can tell its own config."""
    if isinstance(value, list | tuple):
        return all(map(_is_storable, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_storable(value[key]) for key in value)
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max
    return value is None or isinstance(value, str)


def _kinds(annotation: Any) -> set[type]:
    """The Python types of the values that a type accepts."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return {type(each) for each in arguments}
    if origin is Annotated:
        return {arguments[0]}
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(_kinds, arguments))
    return {origin or annotation}


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, tuple | list) else value


def _describe(annotation: Any, value: object) -> str:
    """What a type accepts, in words; `value`, which it does not accept, tells what to stress."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        kind, bounds = arguments
        words: str = bounds.describe("integer" if kind is int else "number")
        is_too_large = _fits(value, kind) and value > bounds.highest == LARGEST
        return f"{words} of at most {LARGEST}" if is_too_large else words
    if origin is tuple and arguments[-1] is ...:
        return "a tuple"
    if origin is tuple:
        return f"({', '.join(_describe(each, value) for each in arguments)})"
    if origin is dict:
        return "a dict"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(each, value) for each in arguments)
    if annotation is Any:
        return "finite numbers, text, True, False or None, or a list, tuple or dict of them"
    return {bool: "True or False", str: "text", types.NoneType: "None"}[annotation]
