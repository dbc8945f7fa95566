"""Which parts of a model to export, checked before anything is written."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_mlp.arguments import (
    check_bool,
    check_choice,
    check_class_names,
    check_positive_int,
    shown,
)
from keras_mlp.export.picture_headers import MAX_PIXELS
from keras_mlp.export.pictures import RESIZE_METHODS
from keras_mlp.models import VisionModel
from keras_mlp.models.base import logits_model
from keras_mlp.models.feature_taps import check_tap_names
from keras_mlp.models.model_view import ModelView, check_size, resized_outputs
from keras_mlp.typing import ImageShape


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which parts of a model to export.

    Attributes:
        model: the given model.
        part: functional model from images to the one output, for serving and training.
        key: name of that output in the signatures.
        features: names of intermediate outputs to export for inference.
        class_names: one name per logit, or None.
        resize: how to resize images of another size; None to refuse them.
        max_pixels: largest number of pixels of a file.
        upright: turn files as their EXIF orientation asks.
        image_shapes: further image shapes that the same variables serve, by views of the model.
    """

    model: keras.Model
    part: keras.Model
    key: str
    features: list[str]
    class_names: list[str] | None
    resize: str | None
    max_pixels: int
    upright: bool
    image_shapes: tuple[ImageShape, ...] = ()

    def inference_model(self) -> keras.Model:
        """Returns a functional model from images to (output, dict of features)."""
        if not self.features:
            return keras.Model(self.part.input, (self.part.output, {}))
        # Requests the output by its layer's name, so that blocks run once for it and all features.
        last = self._last_layer()
        taps = self.model.features(list(dict.fromkeys([*self.features, last]))).output
        features = {name: taps[name] for name in self.features}
        return keras.Model(self.part.input, (taps[last], features))

    def at(self, image_shape: ImageShape) -> Self:
        """The same parts of the model's view at another image shape."""
        view = self.model.at(image_shape)
        outputs = resized_outputs(self.model, self.part.output, view.input, view.patch_size)
        return dataclasses.replace(self, model=view, part=keras.Model(view.input, outputs))

    def _last_layer(self) -> str:
        """The name of the layer that returns the output; a view has those of its base."""
        if isinstance(self.model, ModelView):
            own = logits_model(self.model.base)
            output = own.output if self.key == "logits" else _pooled_features(self.model.base)
            layers = self.model.base.layers
        else:
            output, layers = self.part.output, self.model.layers
        return next(each.name for each in layers if each.output is output)


def select(
    model: keras.Model,
    *,
    output: str,
    features: Sequence[str],
    class_names: Sequence[str] | None,
    resize: str | None,
    max_pixels: int = MAX_PIXELS,
    upright: bool = False,
    image_shapes: Sequence[ImageShape] = (),
) -> Selection:
    """Returns the `Selection` that the arguments of `export_saved_model` describe.

    Raises:
        ValueError: as `export_saved_model` does.
    """
    check_choice("output", output, ("logits", "features"))
    if isinstance(model, ModelView):
        raise ValueError(
            f"`model` {model.name} is a view of {model.base.name}: export `view.base` with "
            "`image_shapes`, or `keras_mlp.with_image_shape(view.base, view.image_shape)`."
        )
    check_choice("resize", resize, (None, *RESIZE_METHODS))
    check_positive_int("max_pixels", max_pixels)
    check_bool("upright", upright)
    part, key = _part_to_export(model, output)
    _check_ends(part)
    _check_size(part, resize)
    _check_features(model, features)
    names = _class_names(model, part, key, class_names)
    shapes = _further_shapes(model, image_shapes, resize)
    return Selection(model, part, key, list(features), names, resize, max_pixels, upright, shapes)


def _class_names(
    model: keras.Model, part: keras.Model, key: str, names: Sequence[str] | None
) -> list[str] | None:
    """Returns the given names, or those that the model has, for an output of logits."""
    if names is None and isinstance(model, VisionModel) and key == "logits":
        names = model.class_names
    if names is None:
        return None
    names = check_class_names(names, model.name, part.output.shape)
    if key != "logits":
        raise ValueError(f"`class_names` name logits, and {model.name} is exported without them.")
    return list(names)


def _further_shapes(
    model: keras.Model, image_shapes: Any, resize: str | None
) -> tuple[ImageShape, ...]:
    """Returns the shapes besides the model's own, or raises ValueError if there is no view."""
    if not isinstance(image_shapes, (list, tuple)):
        raise ValueError(
            f"`image_shapes` must be a list of (height, width, channels), got {image_shapes!r}."
        )
    if not image_shapes:
        return ()
    if not isinstance(model, VisionModel):
        raise ValueError(
            f"`image_shapes` needs a VisionModel; {model.name} is a {type(model).__name__}."
        )
    if resize is not None:
        raise ValueError(
            f"`resize`={resize!r} brings all images to one size, and `image_shapes` lists several: "
            "leave one of them out."
        )
    shapes = [check_size(model, shape, None)[0] for shape in image_shapes]
    twice = [shape for shape in shapes if shapes.count(shape) > 1]
    if twice:
        raise ValueError(f"`image_shapes` must differ, got {twice[0]} more than once.")
    return tuple(shape for shape in shapes if shape != tuple(model.image_shape))


def _part_to_export(model: keras.Model, output: str) -> tuple[keras.Model, str]:
    """Returns the functional model with this output, and the output's key in the signatures."""
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional Keras model, got {shown(model)}.")
    if output == "features":
        return keras.Model(model.input, _pooled_features(model), name=model.name), "default"
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name), "logits"
    if isinstance(model, VisionModel):
        return logits_model(model), "logits" if model.include_top else "default"
    return model, "logits"


def _pooled_features(model: keras.Model) -> keras.KerasTensor:
    if isinstance(model, VisionModel) and model.include_top:
        return model.get_layer("head").input
    if isinstance(model, VisionModel) and model.pooling is not None:
        return model.output
    raise ValueError(
        f"`output`='features' needs a VisionModel with pooled features; {model.name} "
        f"({type(model).__name__}) has none."
    )


def _check_ends(model: keras.Model) -> None:
    for name, tensor in {"input": model.input, "output": model.output}.items():
        if not isinstance(tensor, keras.KerasTensor):
            raise ValueError(f"`model` {model.name} must have one tensor as {name}, has {tensor}.")
    shape = model.input.shape
    if len(shape) != 4 or shape[0] is not None:
        raise ValueError(
            f"`model` {model.name} must take images (B, H, W, channels) with a free batch size B, "
            f"takes {shape}."
        )


def _check_size(model: keras.Model, resize: str | None) -> None:
    if resize is not None and None in model.input.shape[1:]:
        raise ValueError(
            f"`resize`={resize!r} needs a model of one image size; {model.name} takes "
            f"{model.input.shape}."
        )


def _check_features(model: keras.Model, features: Any) -> None:
    if not isinstance(features, (list, tuple)):
        raise ValueError(f"`features` must be a list of names, got {shown(features)}.")
    if features and not isinstance(model, VisionModel):
        raise ValueError(
            f"`features` needs a VisionModel; {model.name} is a {type(model).__name__}."
        )
    if features:
        check_tap_names(model, features, "features")
