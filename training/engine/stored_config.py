"""A config as its JSON file holds it, and its keys one by one."""

import dataclasses
import json


def as_stored(config):
    """A config as the dict that its JSON file gives: tuples are lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def flat(tree, prefix=""):
    """{"data.batch_size": 64, ...} of such a dict; one that is empty is a value itself."""
    values = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values
