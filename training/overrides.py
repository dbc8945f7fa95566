"""The keys of a config: read one by one, and set from `key=value` text."""

import dataclasses
import difflib
import typing
from collections.abc import Iterator
from typing import Any

from training.field_types import convert, parse_literal

NEAREST = 3


def leaves(section: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields (key, value, type) of every key of a config, such as "data.batch_size".

    Args:
        section: a config, or one of its sections.
        prefix: what the keys start with.
    """
    hints = typing.get_type_hints(type(section), include_extras=True)
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value, hints[field.name]


def apply_override(config: Any, override: str) -> None:
    """Sets one key of a config, in place.

    Args:
        config: one of the kinds in `training.config`.
        override: "key=value", such as "data.batch_size=64". Entries of a dict may be new:
            "model.arguments.dropout_rate=0.1".

    Raises:
        ValueError: the text has another form, or there is no such key (the nearest are named).
    """
    key, separator, text = (part.strip() for part in override.partition("="))
    if not separator:
        raise ValueError(f"`--set {override}` must be of the form key=value.")
    *parents, last = key.split(".")
    section = config
    for index, name in enumerate(parents):
        if name not in _names(section):
            raise _unknown(config, key)
        section = getattr(section, name)
        if isinstance(section, dict) and index == len(parents) - 1:
            section[last] = parse_literal(text)
            return
    if last not in _names(section):
        raise _unknown(config, key)
    if names := _names(getattr(section, last)):
        raise ValueError(f"`{key}` is a section. Its keys: {', '.join(names)}.")
    annotation = typing.get_type_hints(type(section), include_extras=True)[last]
    setattr(section, last, convert(text, annotation))


def _names(section: Any) -> list[str]:
    """The keys of a section; none if it is a value."""
    is_section = dataclasses.is_dataclass(section)
    return [field.name for field in dataclasses.fields(section)] if is_section else []


def _unknown(config: Any, key: str) -> ValueError:
    known = [name for name, _, _ in leaves(config)]
    *others, last = sorted(known, key=lambda name: -_likeness(key, name))[:NEAREST]
    return ValueError(
        f"`{key}` is not a config key. Did you mean {', '.join(map(repr, others))} or {last!r}?"
    )


def _likeness(key: str, known: str) -> float:
    """How well a mistyped key matches a known one: its last part counts twice its section."""
    section, _, name = key.rpartition(".")
    known_section, _, known_name = known.rpartition(".")
    of_section = _similarity(section, known_section) if section else 0.0
    return 2 * _similarity(name, known_name) + of_section


def _similarity(text: str, known: str) -> float:
    """From 0 to 1; abbreviations such as "lr" of "learning_rate" and "opt" are nearly equal."""
    if text == known:
        return 1.0
    initials = "".join(word[:1] for word in known.split("_"))
    if text and (known.startswith(text) or (len(initials) > 1 and text == initials)):
        return 0.95
    return difflib.SequenceMatcher(None, text.lower(), known).ratio()
