"""What of a model is exported, checked before anything is written."""

import dataclasses

import keras

from keras_mlp.arguments import check_choice, check_optional
from keras_mlp.export.pictures import RESIZE_METHODS
from keras_mlp.models import VisionModel
from keras_mlp.models.feature_taps import tap_names


@dataclasses.dataclass(frozen=True)
class Selection:
    """What of a model is exported.

    Attributes:
        model: as it was given.
        part: functional model from its images to the one output; what serves and trains.
        key: name of that output in the signatures.
        features: names of what else is given at inference.
        class_names: list of str, or None.
        resize: how images of another size are brought to that of the model; None for refused.
    """

    model: keras.Model
    part: keras.Model
    key: str
    features: list
    class_names: list | None
    resize: str | None

    def inference_model(self):
        """A functional model to (output, dict of features)."""
        if not self.features:
            return keras.Model(self.part.input, (self.part.output, {}))
        # Asked for by the name of its layer, so that the blocks run once for all of them.
        last = next(each for each in self.model.layers if each.output is self.part.output)
        taps = self.model.features(list(dict.fromkeys([*self.features, last.name]))).output
        features = {name: taps[name] for name in self.features}
        return keras.Model(self.part.input, (taps[last.name], features))


def select(model, *, output, features, class_names, resize):
    """The `Selection` that the arguments of `export_saved_model` ask for.

    Raises:
        ValueError: as `export_saved_model` does.
    """
    check_choice("output", output, ("logits", "features"))
    check_optional("resize", resize, lambda *each: check_choice(*each, RESIZE_METHODS))
    part, key = _part_to_export(model, output)
    _check_ends(part)
    _check_size(part, resize)
    _check_features(model, features)
    names = check_optional("class_names", class_names, lambda _, names: _class_names(part, names))
    if names is not None and key != "logits":
        raise ValueError(f"`class_names` are of logits, and {model.name} is exported to features.")
    return Selection(model, part, key, list(features), names, resize)


def _part_to_export(model, output):
    """The functional model that gives this output, and the output's key in the signatures."""
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional Keras model, got {model!r}.")
    if output == "features":
        return keras.Model(model.input, _pooled_features(model), name=model.name), "default"
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name), "logits"
    without_top = isinstance(model, VisionModel) and not model.include_top
    return model, "default" if without_top else "logits"


def _pooled_features(model):
    if isinstance(model, VisionModel) and model.include_top:
        return model.get_layer("head").input
    if isinstance(model, VisionModel) and model.pooling is not None:
        return model.output
    raise ValueError(
        f"`output`='features' needs a VisionModel with pooled features; {model.name} "
        f"({type(model).__name__}) has none."
    )


def _check_ends(model):
    for name, tensor in {"input": model.input, "output": model.output}.items():
        if not isinstance(tensor, keras.KerasTensor):
            raise ValueError(f"`model` {model.name} must have one tensor as {name}, has {tensor}.")
    shape = model.input.shape
    if len(shape) != 4 or shape[0] is not None:
        raise ValueError(
            f"`model` {model.name} must take images (B, H, W, channels) with a free batch size B, "
            f"takes {shape}."
        )


def _check_size(model, resize):
    if resize is not None and None in model.input.shape[1:]:
        raise ValueError(
            f"`resize`={resize!r} needs a model of one image size; {model.name} takes "
            f"{model.input.shape}."
        )


def _check_features(model, features):
    if not isinstance(features, (list, tuple)):
        raise ValueError(f"`features` must be a list of names, got {features!r}.")
    if features and not isinstance(model, VisionModel):
        raise ValueError(
            f"`features` needs a VisionModel; {model.name} is a {type(model).__name__}."
        )
    for name in features:
        check_choice("features", name, tap_names(model))
    twice = [name for name in features if features.count(name) > 1]
    if twice:
        raise ValueError(f"`features` must differ, got {twice[0]!r} more than once.")


def _class_names(model, names):
    """The names as a list, or ValueError unless there is one per logit, each on a line."""
    shape = model.output.shape
    if not isinstance(names, (list, tuple)) or len(shape) != 2 or len(names) != shape[-1]:
        found = f"{len(names)} names" if isinstance(names, (list, tuple)) else repr(names)
        raise ValueError(
            f"`class_names` must be a list of one name per logit of {model.name}, which gives "
            f"{shape}; got {found}."
        )
    for name in names:
        if not isinstance(name, str) or name.splitlines() != [name]:
            raise ValueError(f"`class_names` must be strings of one line each, got {name!r}.")
    return list(names)
