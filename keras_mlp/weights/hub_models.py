"""Models in repositories of hubs: artefacts of this project, and timm's."""

import re
from collections.abc import Mapping
from typing import Any

from keras_mlp.arguments import check_image_shape
from keras_mlp.json_files import read_json
from keras_mlp.keras_file import load_keras_file
from keras_mlp.layers.layer_changes import KINDS
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.weights.catalogue import presets
from keras_mlp.weights.download import has_digest
from keras_mlp.weights.hub_files import Fetch, repository
from keras_mlp.weights.image_shape import with_image_shape

MANIFEST, KERAS_MODEL = "manifest.json", "model.keras"
TIMM_CONFIG, TIMM_WEIGHTS = "config.json", "model.safetensors"
_WAY_OUT = "Tell the owner of the repository."


def artefact_model(
    architecture: type[VisionModel], address: str, fetch: Fetch, arguments: Mapping[str, Any]
) -> VisionModel | None:
    """Returns the model of an artefact whose file has the digest in its manifest.

    Args:
        architecture: the class that is asked for, or a base of it.
        address: of the repository, for messages.
        fetch: of `repository(address)`.
        arguments: constructor arguments that override the model's own; see `from_preset`.

    Returns:
        A new model, or None if the repository has no manifest.

    Raises:
        ValueError: the file differs from its manifest, or holds another kind of model.
    """
    manifest = fetch(MANIFEST)
    if manifest is None:
        return None
    digest = read_json(manifest, _WAY_OUT, _digest)["files"][KERAS_MODEL]["sha256"]
    file = fetch(KERAS_MODEL)
    if file is None:
        raise ValueError(f"{address} lacks {KERAS_MODEL}, which its {MANIFEST} lists. {_WAY_OUT}")
    if not has_digest(file, digest):
        raise ValueError(f"{KERAS_MODEL} of {address} differs from its {MANIFEST}. {_WAY_OUT}")
    model = load_keras_file(file)
    if not isinstance(model, architecture):
        raise ValueError(
            f"{address} holds a {type(model).__name__}, not a {architecture.__name__}: call "
            f"{type(model).__name__}.from_preset."
        )
    return _with_arguments(model, dict(arguments)) if arguments else model


def timm_arguments(
    architecture: type[VisionModel], address: str, fetch: Fetch
) -> tuple[type[VisionModel], dict[str, Any]] | None:
    """Says how `from_preset` builds the model in a repository of timm.

    Args:
        architecture: the class that is asked for, or a base of it.
        address: of the repository, for messages.
        fetch: of `repository(address)`.

    Returns:
        The class, and the arguments of its `from_preset`; or None if the repository is not timm's.

    Raises:
        ValueError: it holds a network that this package lacks, or of another class.
    """
    config_file, weights = fetch(TIMM_CONFIG), fetch(TIMM_WEIGHTS)
    if config_file is None or weights is None:
        return None
    config = read_json(config_file, _WAY_OUT, lambda tree: (tree["architecture"], _shape(tree)))
    name, tag = config["architecture"], config["pretrained_cfg"].get("tag")
    owner, variant = _counterpart(address, name)
    if not issubclass(owner, architecture):
        raise ValueError(
            f"{address} holds weights of {owner.__name__}, not of {architecture.__name__}: call "
            f"{owner.__name__}.from_preset."
        )
    listed = presets(owner, pattern=f"{name}.{tag}")
    if listed:  # what is known about these weights, such as their kind of GELU
        return owner, {"preset": listed[0].name, "file": weights}
    if config.get("model_args"):
        raise ValueError(
            f"{address} changes the network of {name} by {config['model_args']}, which is not "
            f"supported. Download {TIMM_WEIGHTS} and give its path to `from_preset` with the "
            "arguments of the constructor."
        )
    facts = config["pretrained_cfg"]
    return owner, {
        "preset": weights,
        "variant": variant,
        "file_image_shape": _shape(config),
        "num_classes": config["num_classes"],
        **{f"pixel_{key}": tuple(facts[key]) for key in ("mean", "std") if key in facts},
    }


def _counterpart(address: str, name: str) -> tuple[type[VisionModel], str]:
    """The class and variant that timm calls `name`, at whatever image size."""
    known = []
    for owner in ARCHITECTURES.values():
        for variant, theirs in (owner.timm.names if owner.timm else {}).items():
            if re.sub(r"_\d+$", "", theirs) == re.sub(r"_\d+$", "", name):
                return owner, variant
            known.append(theirs)
    for preset in presets(pattern=f"{name}.*"):  # such as timm's names of DeiT
        return ARCHITECTURES[preset.architecture], preset.variant
    raise ValueError(
        f"{address} holds timm's {name}, which keras_mlp lacks. It has {', '.join(known)}."
    )


def _shape(config: Any) -> tuple[int, int, int]:
    channels, height, width = config["pretrained_cfg"]["input_size"]
    return height, width, channels


def _digest(manifest: Any) -> str:
    return str(manifest["files"][KERAS_MODEL]["sha256"])


def _with_arguments(model: VisionModel, arguments: dict[str, Any]) -> VisionModel:
    """The same weights in a model with other constructor arguments."""
    config = model.get_config()
    changes = [config.pop(kind, None) for kind in KINDS]
    if any(changes):
        raise ValueError(
            f"{model.name} is quantized, or has LoRA factors or frozen layers: its arguments "
            f"cannot be changed, got {', '.join(arguments)}."
        )
    config.pop("class_names", None)
    image_shape = check_image_shape(arguments.pop("image_shape", model.image_shape))
    changed = type(model)(**{**config, **arguments})
    if changed.include_top and changed.num_classes == model.num_classes:
        changed.class_names = model.class_names
    changed.weights_source = model.weights_source
    given = {weight.path: weight for weight in model.weights}
    for weight in changed.weights:
        source = given.get(weight.path)
        if source is not None and source.shape == weight.shape:
            weight.assign(source)
        elif not weight.path.startswith("head/"):
            raise ValueError(
                f"{model.name} has no weight for {weight.path} {tuple(weight.shape)}: "
                f"{', '.join(arguments)} would change the network."
            )
    return changed if image_shape == model.image_shape else with_image_shape(changed, image_shape)


def hub_model(architecture: type[VisionModel], address: str, **arguments: Any) -> VisionModel:
    """Builds the model in a repository of a hub; see `VisionModel.from_preset`.

    Raises:
        ValueError: the address has another form, or there is no model of `architecture` at it.
        ImportError: the hub's client is not installed.
        OSError: a file cannot be downloaded.
    """
    for name in ("variant", "file", "file_image_shape", "cache_dir", "ema"):
        if arguments.pop(name, None) is not None:
            raise ValueError(f"`{name}` is not for an address: {address} states what it holds.")
    fetch = repository(address)
    verbose = arguments.pop("verbose", True)
    model = artefact_model(architecture, address, fetch, arguments)
    if model is not None:
        return model
    found = timm_arguments(architecture, address, fetch)
    if found is None:
        raise ValueError(
            f"{address} is not a repository of a model: it has neither {MANIFEST}, as artefacts of "
            f"`saved_models.publish` have, nor {TIMM_CONFIG} and {TIMM_WEIGHTS}, as timm's have."
        )
    owner, theirs = found
    return owner.from_preset(**{**theirs, **arguments}, verbose=verbose)
