"""A config as its JSON file holds it, and its keys one by one."""

import dataclasses
from typing import TYPE_CHECKING, Any

from keras_mlp.json_files import json_text, parsed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_stored(config: "DataclassInstance") -> dict[str, Any]:
    """A config as the dict that its JSON file holds: tuples become lists."""
    stored: dict[str, Any] = parsed(json_text(dataclasses.asdict(config)))
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


def in_todays_terms(values: dict[str, Any]) -> dict[str, Any]:
    """What a flat config, stored by this or an earlier version, means today.

    A key that is newer than the config has its default there, except for:
    `data.subset_seed`: before it, `data.examples_per_class` took the first examples of each class.
    """
    if values.get("data.examples_per_class") and "data.subset_seed" not in values:
        return {**values, "data.subset_seed": None}
    return values
