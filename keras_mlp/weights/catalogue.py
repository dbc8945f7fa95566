"""The catalogue of published weights."""

import difflib
import fnmatch
from typing import Any

from keras_mlp.arguments import check_choice, shown
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.weights.preset import Preset
from keras_mlp.weights.published import TABLES

_PRESETS: dict[str, Preset] = {preset.name: preset for table in TABLES for preset in table}


def presets(
    architecture: type[VisionModel] | str | None = None,
    *,
    variant: str | None = None,
    pattern: str = "*",
) -> tuple[Preset, ...]:
    """Lists published weights.

    Args:
        architecture: a model class or its name, such as "MLPMixer"; None for all.
        variant: key of the architecture's `variants`; None for all.
        pattern: pattern of names as for `fnmatch`, such as "*in21k".

    Returns:
        A tuple of `Preset`, in the order of the catalogue.

    Raises:
        ValueError: the architecture does not exist, or does not have the variant.

    Example:

    >>> [preset.name for preset in keras_mlp.presets("GMLP")]
    ['gmlp_s16_224.ra3_in1k']
    """
    for argument, text in {
        "variant": "" if variant is None else variant,
        "pattern": pattern,
    }.items():
        if not isinstance(text, str):
            raise ValueError(f"`{argument}` must be a string, got {shown(text)}.")
    found = list(_PRESETS.values())
    if architecture is not None:
        name: Any = getattr(architecture, "__name__", architecture)
        check_choice("architecture", name, ARCHITECTURES)
        found = [preset for preset in found if preset.architecture == name]
        if variant is not None:
            check_choice("variant", variant, ARCHITECTURES[name].variants)
    if variant is not None:
        found = [preset for preset in found if preset.variant == variant]
    return tuple(preset for preset in found if fnmatch.fnmatchcase(preset.name, pattern))


def find_preset(name: str) -> Preset:
    """Returns the preset of a name, or raises ValueError that names those that may be meant."""
    if name not in _PRESETS:
        raise ValueError(_unknown(name))
    return _PRESETS[name]


def _unknown(name: str) -> str:
    # Addresses and the names of repositories end in what may be a preset.
    wanted = name.rstrip("/").rpartition("/")[2]
    near = [each for each in _PRESETS if wanted and each.startswith(wanted)]
    near = near or difflib.get_close_matches(wanted, _PRESETS, n=1, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near[:9]))}? " if near else ""
    kind = "not the name of a published file that the catalogue lists"
    if "/" in name:
        kind = "neither a file that exists nor the name of one that the catalogue lists"
    if "://" in name:
        kind = "an address, and models are built from a name of the catalogue or from a file here"
    return (
        f"`preset`={name!r} is {kind}. {hint}`keras_mlp.presets()` lists all {len(_PRESETS)} "
        "names. For another file, download it and give its path, with its `variant`."
    )
