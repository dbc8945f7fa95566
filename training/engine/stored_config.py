"""A config as its JSON file holds it, and its keys one by one."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_stored(config: "DataclassInstance") -> dict[str, Any]:
    """A config as the dict that its JSON file holds: tuples become lists."""
    stored: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return stored


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens such a dict to {"data.batch_size": 64, ...}; an empty dict is a value itself."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values
