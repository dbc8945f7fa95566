"""What all formats start from: a model at inference, from one image tensor to one output."""

import dataclasses
import os
import pathlib
from typing import Any

import keras

from keras_mlp.arguments import check_bool, shown
from keras_mlp.deploy import deploy, has_training_form
from keras_mlp.export import check_tensorflow_backend
from keras_mlp.layers.layer_changes import is_quantized, layers_by_path
from keras_mlp.models import VisionModel
from keras_mlp.models.base import logits_model
from keras_mlp.models.model_view import ModelView
from keras_mlp.typing import Tensor
from keras_mlp.whole_files import write_errors

_TWO_GB = 2**31


@dataclasses.dataclass(frozen=True)
class InferenceGraph:
    """A model, and the names of its one input and one output outside Keras.

    Attributes:
        model: the Keras model, deployed if requested.
        input_name: "pixels" in [0, 255] for a `VisionModel` with `include_preprocessing` and for
            any model with uint8 input; otherwise "images", in the range of the model's own input.
        dtype: "uint8" for pixels, which represents them exactly; otherwise "float32".
        output_name: "logits", whatever `classifier_activation` is, or "default" for a `VisionModel`
            without top, as in SavedModels.
        class_names: names in the order of the logits; None if the model has none.
    """

    model: keras.Model
    input_name: str
    dtype: str
    output_name: str
    class_names: tuple[str, ...] | None = None

    def spec(self, batch_size: int | None = None) -> Any:
        """Returns the `tf.TensorSpec` of the input; the batch size is free if it is None."""
        import tensorflow as tf

        shape = (batch_size, *self.model.input.shape[1:])
        return tf.TensorSpec(shape, self.dtype, self.input_name)

    def function(self, batch_size: int | None = None) -> Any:
        """Returns a `tf.function` from the input to a dict of the output, in float32.

        It is traced without XLA, so that the dense layers multiply two matrices, which converters
        turn into one fully connected operation.
        """
        import tensorflow as tf

        def infer(images: Tensor) -> dict[str, Tensor]:
            return {self.output_name: tf.cast(self.model(images, training=False), tf.float32)}

        return tf.function(infer, [self.spec(batch_size)], autograph=False)

    def save(self, folder: str | os.PathLike[str], batch_size: int | None = None) -> None:
        """Writes a SavedModel with this function as its only signature.

        Converters read function and weights from it. Given the function alone, LiteRT's converter
        drops the weights without an error.
        """
        import tensorflow as tf

        holder = tf.Module()
        holder.weights = [variable.value for variable in self.model.variables]
        signature = self.function(batch_size).get_concrete_function()
        with write_errors(pathlib.Path(folder), tf.errors.OpError):
            tf.saved_model.save(holder, str(folder), {"serving_default": signature})

    def check_fits_one_file(self) -> None:
        """Raises ValueError for 2 GB of weights: LiteRT and ONNX address files with 31 bits."""
        size = 4 * self.model.count_params()
        if size >= _TWO_GB:
            raise ValueError(
                f"`model` {self.model.name} has {size / 1e9:.1f} GB of weights; files of this "
                "format hold less than 2.1 GB."
            )


def inference_graph(model: keras.Model, deployed: bool) -> InferenceGraph:
    """Returns the graph of a model that a format can hold.

    Args:
        model: a `VisionModel`, or a built functional or sequential Keras model from one image
            (B, H, W, channels), float or uint8, to one tensor.
        deployed: use the deployed form of a `RepMLPNet`.

    Raises:
        ValueError: the model is of another kind, or does not compute in float32.
        RuntimeError: Keras runs on a backend other than TensorFlow.
    """
    check_tensorflow_backend()
    check_bool("deployed", deployed)
    if isinstance(model, ModelView):
        raise ValueError(
            f"`model` {model.name} is a view of {model.base.name}: export "
            "`keras_mlp.with_image_shape(view.base, view.image_shape)`."
        )
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional Keras model, got {shown(model)}.")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    _check_ends(model)
    _check_precision(model)
    if deployed and isinstance(model, VisionModel) and has_training_form(model):
        model = deploy(model)
    is_ours = isinstance(model, VisionModel)
    takes_pixels = (is_ours and model.include_preprocessing) or model.input.dtype == "uint8"
    name, dtype = ("pixels", "uint8") if takes_pixels else ("images", "float32")
    output = "default" if is_ours and not model.include_top else "logits"
    names = getattr(model, "class_names", None)  # a plain Keras model has none
    return InferenceGraph(logits_model(model) if is_ours else model, name, dtype, output, names)


def _check_ends(model: keras.Model) -> None:
    for name, tensor in {"input": model.input, "output": model.output}.items():
        if not isinstance(tensor, keras.KerasTensor):
            raise ValueError(f"`model` {model.name} must have one tensor as {name}, has {tensor}.")
    shape, dtype = model.input.shape, model.input.dtype
    if len(shape) != 4 or shape[0] is not None or None in shape[1:]:
        raise ValueError(
            f"`model` {model.name} must take images (B, H, W, channels) of one size with a free "
            f"batch size B, takes {shape}."
        )
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"`model` {model.name} must take float32 or uint8, takes {dtype}.")


def _check_precision(model: keras.Model) -> None:
    for path, layer in layers_by_path(model).items():
        if is_quantized(layer):
            raise ValueError(
                f"`model` {model.name} is quantized, in its layer {path}; formats quantize by "
                "themselves. Export the model as it was before quantization."
            )
        if layer.compute_dtype not in ("float32", "uint8"):
            raise ValueError(
                f"`model` {model.name} computes in {layer.compute_dtype}, in its layer {path}; "
                "only float32 is exported. Build it with dtype='float32' and set the same weights."
            )
