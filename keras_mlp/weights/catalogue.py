"""The catalogue of published weights."""

import fnmatch

from keras_mlp.arguments import check_choice
from keras_mlp.models import ARCHITECTURES
from keras_mlp.weights.published import TABLES

_PRESETS = {preset.name: preset for table in TABLES for preset in table}


def presets(architecture=None, *, variant=None, pattern="*"):
    """Lists published weights.

    Args:
        architecture: a model class or its name, such as "MLPMixer"; None for all.
        variant: key of the architecture's `variants`; None for all.
        pattern: of names, as for `fnmatch`, such as "*in21k".

    Returns:
        A tuple of `Preset`, in the order of the catalogue.

    Raises:
        ValueError: there is no such architecture, or it has no such variant.

    Example:

    >>> [preset.name for preset in keras_mlp.presets("GMLP")]
    ['gmlp_s16_224.ra3_in1k']
    """
    found = _PRESETS.values()
    if architecture is not None:
        name = getattr(architecture, "__name__", architecture)
        check_choice("architecture", name, ARCHITECTURES)
        found = [preset for preset in found if preset.architecture == name]
        if variant is not None:
            check_choice("variant", variant, ARCHITECTURES[name].variants)
    if variant is not None:
        found = [preset for preset in found if preset.variant == variant]
    return tuple(preset for preset in found if fnmatch.fnmatchcase(preset.name, pattern))


def find_preset(name):
    """The row of that name, or ValueError that names the nearest one."""
    return _PRESETS[check_choice("preset", name, _PRESETS)]
