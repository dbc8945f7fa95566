"""What `save_checkpoint` writes into a file about the model in it."""

import json
import os
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import safetensors

_T = TypeVar("_T")


def stated(path: str | os.PathLike[str], name: str, check: Callable[[Any], _T]) -> _T | None:
    """An argument of the model in a file, or None: other files state none.

    Args:
        path: of a readable checkpoint.
        name: a key of the model's config, such as "image_shape".
        check: function that returns the value, checked, or raises ValueError.

    Raises:
        ValueError: it is a file of ours, and its metadata are damaged.
    """
    if pathlib.Path(path).suffix != ".safetensors":
        return None
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
    if "keras_mlp" not in metadata:
        return None
    try:
        value = json.loads(metadata["arguments"]).get(name)
        return None if value is None else check(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not state its {name.replace('_', ' ')}: {error}") from error
