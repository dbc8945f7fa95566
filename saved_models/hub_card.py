"""The card of an artefact as Hugging Face reads it: with metadata in YAML before the text."""

import re
from typing import Any

from keras_mlp.json_files import json_text
from saved_models.card import card, dataset, kind

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
LICENCE = "apache-2.0"  # as Hugging Face calls it


def hub_card(metrics: dict[str, Any]) -> str:
    """The text of a card with front matter.

    Args:
        metrics: the dict in an artefact's `metrics.json`.

    Returns:
        Markdown text, after YAML between lines of three dashes.
    """
    lines = [f"{key}: {json_text(value)}" for key, value in front_matter(metrics).items()]
    return "\n".join(["---", *lines, "---", "", card(metrics)])


def front_matter(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metadata: licence, tags, library and the measured accuracy."""
    name = metrics["training"]["config"]["data"]["name"]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"type": name, "name": dataset(metrics).title, "split": "test"},
        "metrics": [{"type": "accuracy", "value": metrics["test"]["accuracy"]}],
    }
    return {
        "license": LICENCE,
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["keras", "keras_mlp", "image-classification", metrics["architecture"].lower()],
        "metrics": ["accuracy"],
        "model-index": [{"name": kind(metrics), "results": [result]}],
    }


def without_front_matter(text: str) -> str:
    """A card as `card` wrote it."""
    return _FRONT_MATTER.sub("", text).removeprefix("\n")
