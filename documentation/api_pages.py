"""The API reference: a page per part of `keras_mlp`, with every public name."""

import inspect
from typing import Any

import keras_mlp
from keras_mlp import analysis, formats, layers, weights

# Page of the site, title, and the packages and modules whose public names it has.
_PAGES = (
    ("models", "Models", ("keras_mlp.models",)),
    ("layers", "Layers", ("keras_mlp.layers",)),
    ("weights", "Weights and image sizes", ("keras_mlp.weights",)),
    ("saved_models", "SavedModels", ("keras_mlp.export", "keras_mlp.saved_model_layer")),
    ("formats", "Other formats", ("keras_mlp.formats",)),
    ("analysis", "Analysis", ("keras_mlp.analysis",)),
    ("changes", "Changes to trained models", ("keras_mlp",)),
)
# Their own arguments and methods say it all: what they inherit from Keras is not listed.
_PLAIN = "    options:\n      members: false\n"


def public_names() -> dict[str, Any]:
    """From the full name of every public class and function to itself."""
    modules = (keras_mlp, layers, analysis, formats, weights)
    found = [getattr(module, name) for module in modules for name in module.__all__]
    described = [each for each in found if inspect.isclass(each) or inspect.isfunction(each)]
    return {f"{each.__module__}.{each.__qualname__}": each for each in described}


def api_pages() -> dict[str, str]:
    """The pages by their path in the site. Every public name is on one of them."""
    left = dict(sorted(public_names().items(), key=lambda pair: pair[0].rpartition(".")[2].lower()))
    pages = {}
    for page, title, packages in _PAGES:
        prefixes = tuple(f"{package}." for package in packages)
        own = {name: left.pop(name) for name in list(left) if name.startswith(prefixes)}
        parts = "\n".join(_reference(name, each) for name, each in own.items())
        pages[f"api/{page}.md"] = f"# {title}\n\n{parts}"
    return pages


def _reference(name: str, described: Any) -> str:
    is_layer = inspect.isclass(described) and name != "keras_mlp.models.base.VisionModel"
    has_members = name.startswith(("keras_mlp.analysis.", "keras_mlp.weights."))
    return f"::: {name}\n" + (_PLAIN if is_layer and not has_members else "")
