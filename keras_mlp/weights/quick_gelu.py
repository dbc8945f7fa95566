"""Refuses files of models with another activation than GELU, which no tensor shows."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import safetensors

from keras_mlp.json_files import json_text

_WORDS = ("quickgelu", "quick_gelu", "quick-gelu")
# What says which model a file holds, in the metadata of a file or in the `config.json` beside it.
_KEYS = ("architecture", "hidden_act", "act_layer", "timm", "model_name", "name")
_WAY_OUT = (
    "QuickGELU is x * sigmoid(1.702 x), and this model computes GELU: the weights would load and "
    "give other numbers. Use a ViT with `quick_gelu=True`, or weights that were trained with GELU."
)


def refuse_quick_gelu(
    path: str | os.PathLike[str], names: Iterable[str], model_has_it: bool
) -> None:
    """Raises ValueError if a file is known to hold a model with QuickGELU, and ours has none.

    Args:
        path: path of the file.
        names: names of its tensors, without wrappers.
        model_has_it: whether the model that the weights are for computes QuickGELU.

    Raises:
        ValueError: its tensors are called as in OpenAI's CLIP or in open_clip, which no layout
            reads; or its name, its metadata or a `config.json` beside it names QuickGELU, and the
            model computes GELU.
    """
    visual = min((name for name in names if name.startswith("visual.")), default=None)
    if visual is not None:
        raise ValueError(
            f"{path} is refused: it holds a CLIP model (its names, such as {visual}, are those of "
            f"OpenAI's code and of open_clip), most of which use QuickGELU. {_WAY_OUT} "
            "timm's copies of such files can be read."
        )
    if model_has_it:
        return
    for place, text in _descriptions(pathlib.Path(path)):
        if any(word in text.lower() for word in _WORDS):
            raise ValueError(f"{path} is refused: {place} says that it uses QuickGELU. {_WAY_OUT}")


def _descriptions(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yields (where it says so, what it says) of a file."""
    yield "its name", path.name
    if path.suffix == ".safetensors":
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
        if _fields(metadata.get("arguments", "")).get("quick_gelu"):  # written by `save_checkpoint`
            yield "its metadata", "quick_gelu"
        yield "its metadata", json_text([metadata.get(key) for key in _KEYS])
    config = path.parent / "config.json"
    with contextlib.suppress(OSError, ValueError):
        content = _fields(config.read_text(encoding="utf-8"))
        yield f"{config}", json_text([content.get(key) for key in _KEYS])


def _fields(text: str) -> dict[str, Any]:
    """The fields of a JSON object; none of any other text, which is not this module's to judge."""
    with contextlib.suppress(ValueError):
        content = json.loads(text)
        if isinstance(content, dict):
            return content
    return {}
