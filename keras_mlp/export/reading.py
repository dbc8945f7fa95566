"""A SavedModel of ours as a Keras model again."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_mlp.errors import first_line
from keras_mlp.export.description import saved_model_info
from keras_mlp.export.endpoints import stored_variables
from keras_mlp.export.saved_model import check_tensorflow_backend
from keras_mlp.export.selection import select
from keras_mlp.layers.layer_changes import without_head
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.typing import Array, Config

_CHECKPOINT = "variables/variables"
_KEY = "variables/{}/.ATTRIBUTES/VARIABLE_VALUE"


def load_saved_model(path: str | os.PathLike[str]) -> VisionModel:
    """Rebuilds the Keras model that `export_saved_model` wrote, with its weights.

    The model is built from the description in the folder and takes the stored tensors: the graph is
    not read, so no code of the file runs. What was frozen, quantized or had LoRA factors still is.

    Args:
        path: folder of a SavedModel that `export_saved_model` wrote from a `VisionModel`.

    Returns:
        A `VisionModel`. One that was exported with `output="features"` has no classifier, as its
        weights are not in the folder.

    Raises:
        ValueError: the folder was not written by `export_saved_model`, is damaged, or holds another
            kind of model.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> model = load_saved_model("mixer")  # doctest: +SKIP
    """
    check_tensorflow_backend()
    info = saved_model_info(path)
    model = rebuilt(path, info)
    assign_stored(path, model, info, _stored_arrays(pathlib.Path(path)))
    return model


def rebuilt(path: str | os.PathLike[str], info: dict[str, Any]) -> VisionModel:
    """The model that a description names, with random weights.

    Args:
        path: of the SavedModel, for errors.
        info: what `saved_model_info` returned.

    Raises:
        ValueError: it describes another kind of model, or is damaged.
    """
    architecture = ARCHITECTURES.get(info["class_name"])
    if architecture is None or info["config"] is None:
        raise ValueError(
            f"{path} holds a {info['class_name']}, not a model of keras_mlp, and does not describe "
            "how to build it: `keras_mlp.SavedModelLayer` uses it as a layer."
        )
    config: Config = dict(info["config"])
    if info["output"] == "features" and config["include_top"]:
        config |= {"include_top": False, "classifier_activation": None, **without_head(config)}
    try:
        model = architecture.from_config(config)
        if info["output"] == "logits" and model.include_top:
            model.class_names = info["class_names"]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"{path} describes no model: {first_line(error)}") from error
    return model


def assign_stored(
    path: str | os.PathLike[str], model: VisionModel, info: dict[str, Any], arrays: Sequence[Array]
) -> None:
    """Gives a model from `rebuilt` the values of the SavedModel's variables.

    Args:
        path: of the SavedModel, for errors.
        model: what `rebuilt` returned.
        info: what `saved_model_info` returned.
        arrays: values of the variables, in the order of the SavedModel's `variables`.

    Raises:
        ValueError: they do not fit.
    """
    selection = select(
        model,
        output=info["output"],
        features=info["features"],
        class_names=None,
        resize=info.get("resize"),
    )
    variables = stored_variables(selection.part, selection.inference_model())
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [tuple(array.shape) for array in arrays]:
        raise ValueError(
            f"{path} is damaged: its weights are not those of the {info['class_name']} that it "
            "describes. Export the model again."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _stored_arrays(folder: pathlib.Path) -> list[Array]:
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(folder / _CHECKPOINT))
        names = reader.get_variable_to_shape_map()
        count = sum(name.startswith("variables/") for name in names)
        return [reader.get_tensor(_KEY.format(number)) for number in range(count)]
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"The weights of {folder} cannot be read: {first_line(error)}") from error
