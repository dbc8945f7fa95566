"""The image and patch sizes that a run trains at: views of its model."""

import dataclasses
import inspect
import itertools
import math
import typing

import keras

import keras_mlp
from keras_mlp.arguments import check_pair
from training.config import Config


@dataclasses.dataclass(frozen=True)
class Size:
    """One of the sizes that a step may train at.

    Attributes:
        model: a view of the run's model, or the model itself.
        share: share of a batch that a step at this size trains on, in (0, 1].
    """

    model: keras.Model
    share: float


def sizes_of(model: keras.Model, config: typing.Any, key: str = "data.image_sizes") -> list[Size]:
    """The sizes that `data.image_sizes` and `model.patch_sizes` name; without any, the model's own.

    Args:
        model: the run's model.
        config: with the section `data` of `training.config.Config`, and `model` where there is one.
        key: what an error calls the image sizes.

    Raises:
        ValueError: the model cannot have one of the sizes (the nearest that fit are named).
    """
    section = getattr(config, "model", None)
    patch_sizes = section.patch_sizes if section is not None else ()
    if not config.data.image_sizes and not patch_sizes:
        return [Size(model, 1.0)]
    if not isinstance(model, keras_mlp.VisionModel):
        raise ValueError(
            "`data.image_sizes` and `model.patch_sizes` need a keras_mlp model, whose views share "
            f"its weights; {model.name} is a {type(model).__name__}."
        )
    own = tuple(model.image_shape[:2])
    images = [check_pair(key, each) for each in config.data.image_sizes] or [own]
    patches = [check_pair("model.patch_sizes", each) for each in patch_sizes]
    patches = patches or [check_pair("patch_size", model.patch_size)]
    sizes = []
    for image, patch in itertools.product(images, patches):
        named = [f"`{key}` holds {image}"] if config.data.image_sizes else []
        named += [f"`model.patch_sizes` holds {patch}"] if patch_sizes else []
        view = _view(model, image, patch, " and ".join(named))
        ratio = math.prod(model.grid) / math.prod(view.grid)
        sizes.append(Size(view, min(1.0, ratio) if config.data.equal_cost else 1.0))
    return sizes


def _view(
    model: keras_mlp.VisionModel, image: tuple[int, int], patch: tuple[int, int], named: str
) -> keras.Model:
    try:
        return model.at((*image, model.image_shape[-1]), patch_size=patch)
    except ValueError as error:
        raise ValueError(f"{named}: {error}") from error


def has_sizes(config: Config) -> bool:
    """Whether the steps of a run are drawn from several sizes."""
    return bool(config.data.image_sizes or config.model.patch_sizes)


def check_sizes(config: Config, key: str = "data.image_sizes") -> None:
    """Raises ValueError if the model of a config cannot have its sizes, before it is built."""
    if has_sizes(config):
        architecture = keras_mlp.ARCHITECTURES[config.model.architecture]
        model = keras_mlp.analysis.weightless(
            architecture.from_variant, config.model.variant, **_of_constructor(config)
        )
        sizes_of(model, config, key)


def _of_constructor(config: Config) -> dict[str, typing.Any]:
    """The arguments of the config that are not those of `from_preset`."""
    architecture = keras_mlp.ARCHITECTURES[config.model.architecture]
    known = inspect.signature(architecture).parameters
    return {name: each for name, each in config.model.arguments.items() if name in known}
