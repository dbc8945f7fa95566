"""A SavedModel as a Keras layer that trains."""

import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras

# Keras has no public name for this function; its own TFSMLayer calls it too.
from keras.src.saving.serialization_lib import in_safe_mode

from keras_mlp.arguments import check_path
from keras_mlp.errors import first_line
from keras_mlp.export import INFO_FILE, check_tensorflow_backend, saved_model_info, sha256_of
from keras_mlp.export.reading import assign_stored, rebuilt
from keras_mlp.models import VisionModel
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class SavedModelLayer(keras.layers.Layer):
    """Runs and trains a Reusable SavedModel, written by keras_mlp or others, inside a Keras model.

    Its variables are this layer's weights: `fit` trains the trainable ones, a `.keras` file of the
    surrounding model stores all, and `trainable=False` freezes them and runs the SavedModel in
    inference mode. A `.keras` file stores `path`, not the SavedModel: the folder must exist when it
    is loaded, and its weights are then replaced by those of the file. Since the graph of a
    SavedModel can read and write files, loading requires `safe_mode=False`, as for
    `keras.layers.TFSMLayer`. Under `MirroredStrategy` each replica updates its own BatchNorm
    statistics, and those of the first are saved, as in Keras.

    Args:
        path: folder of the SavedModel. Files that `export_saved_model` wrote are verified.
        trainable: train the SavedModel's trainable variables.
        **kwargs: arguments of `keras.layers.Layer`. The SavedModel computes in the precision with
            which it was exported, whatever `dtype` is.

    Shapes: as exported; (B, H, W, channels) -> (B, classes) or (B, C) for `export_saved_model`. The
        dtype of the inputs distinguishes float images from uint8 pixels; see `export_saved_model`.
        For pixels put `keras.Input(..., dtype="uint8")` before the layer, in a sequential model
        too: otherwise Keras casts them to float.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it is not a SavedModel, is damaged or cannot be called; or, when called, the
            inputs have a shape or dtype that the SavedModel does not take.
        tensorflow.errors.InvalidArgumentError: when run, the inputs are pixels cast to float, and a
            SavedModel of `export_saved_model` takes [0, 1]. XLA omits this check.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> keras.Sequential([SavedModelLayer("mixer"), keras.layers.Dense(5)])  # doctest: +SKIP
    """

    def __init__(self, path: str | os.PathLike[str], trainable: bool = True, **kwargs: Any) -> None:
        check_tensorflow_backend()
        # The dtype of the inputs selects the function to call, so they are not cast.
        super().__init__(trainable=trainable, autocast=False, **kwargs)
        self.folder = os.fspath(check_path("path", path))  # `path` is a property of Keras' layers
        self._loaded = _load(self.folder)
        self._takes_training = "training" in inspect.signature(self._loaded.__call__).parameters
        with keras.name_scope(self.name, caller=self):
            self._loaded_weights = _keras_variables(self._loaded)
        for weight in self._loaded_weights:
            # Only now: Keras cannot unfreeze weights that were tracked as not trainable.
            weight.trainable = weight.trainable and self.trainable
        self.built = True

    @property
    def regularization_losses(self) -> list[Callable[[], Tensor]]:
        """Functions without arguments, one per loss of the SavedModel; empty when frozen."""
        return list(getattr(self._loaded, "regularization_losses", ())) if self.trainable else []

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        spec, _ = self._trace(inputs)
        inputs = keras.ops.cast(inputs, spec.dtype.name)
        for loss in self.regularization_losses:
            self.add_loss(loss())
        if not self._takes_training:
            return self._loaded(inputs)
        return self._loaded(inputs, training=bool(training) and self.trainable)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Returns the shape of the outputs, or a structure of shapes like the outputs.

        The dtype of the inputs makes no difference: one shape of inputs has one shape of outputs.
        """
        for spec, outputs in _traces(self._loaded):
            if spec.shape.is_compatible_with(tuple(input_shape)):
                return keras.tree.map_structure(lambda each: tuple(each.shape), outputs)
        raise self._mismatch(tuple(input_shape))

    def compute_output_spec(self, inputs: Tensor, training: bool | None = None) -> Any:
        return keras.tree.map_structure(
            lambda spec: keras.KerasTensor(spec.shape, dtype=spec.dtype.name),
            self._trace(inputs)[1],
        )

    def to_model(self) -> VisionModel:
        """The Keras model that was exported, with the present weights of this layer.

        Returns:
            A new `VisionModel`, as from `load_saved_model`: it does not need the folder.

        Raises:
            ValueError: `export_saved_model` did not write the SavedModel from a `VisionModel`.
        """
        info = saved_model_info(self.folder)
        model = rebuilt(self.folder, info)
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self._loaded.variables]
        assign_stored(self.folder, model, info, arrays)
        return model

    def get_config(self) -> Config:
        return {**super().get_config(), "path": self.folder}

    @classmethod
    def from_config(cls, config: Config) -> "SavedModelLayer":
        if in_safe_mode():
            raise ValueError(
                f"The file names a SavedModel, {config['path']}, whose graph can read and write "
                "files; if you trust it, pass `safe_mode=False` to the loading function."
            )
        return cls(**config)

    def _trace(self, inputs: Tensor) -> tuple[Any, Any]:
        """Returns (input, output) specs of the SavedModel's function that takes these inputs."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        for spec, outputs in _traces(self._loaded):
            both_float = spec.dtype.is_floating and keras.backend.is_float_dtype(dtype)
            same_dtype = both_float or spec.dtype.name == dtype
            if same_dtype and spec.shape.is_compatible_with(tuple(inputs.shape)):
                return spec, outputs
        raise self._mismatch(tuple(inputs.shape), f"{dtype} ")

    def _mismatch(self, shape: Shape, dtype: str = "") -> ValueError:
        traces = _traces(self._loaded)
        taken = sorted({f"{spec.dtype.name} {tuple(spec.shape)}" for spec, _ in traces})
        return ValueError(
            f"The SavedModel {self.folder} takes {' or '.join(taken)}, got {dtype}{shape}."
        )


def _load(path: str) -> Any:
    """Returns the loaded object, after checks that find what is wrong with the folder."""
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no SavedModel folder at {path}.")
    if (folder / INFO_FILE).exists():
        _check_files(folder)
    if not any((folder / f"saved_model.{suffix}").is_file() for suffix in ("pb", "pbtxt")):
        raise ValueError(f"{path} is not a SavedModel: it holds no saved_model.pb.")

    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(path)
    except Exception as error:  # a damaged graph raises whatever it happens to break
        message = f"{path} cannot be loaded; it may be damaged: {first_line(error)}"
        raise ValueError(message) from error
    if not callable(loaded) or not _traces(loaded):
        raise ValueError(
            f"{path} has no `__call__` of one tensor, so it cannot be a layer (`model.export` "
            "writes SavedModels without it, `export_saved_model` with it)."
        )
    return loaded


def _check_files(folder: pathlib.Path) -> None:
    """Raises ValueError for the first file that is not as `export_saved_model` wrote it."""
    for name, expected in saved_model_info(folder)["sha256"].items():
        if not (folder / name).is_file():
            raise ValueError(f"{folder} is damaged: {name} is missing.")
        if sha256_of(folder / name) != expected:
            raise ValueError(f"{folder} is damaged: {name} is not the file that was exported.")


def _traces(loaded: Any) -> list[tuple[Any, Any]]:
    """Returns (input spec, output specs) of every function of one tensor in `__call__`."""
    import tensorflow as tf

    traces = []
    for function in loaded.__call__.concrete_functions:
        arguments, keywords = function.structured_input_signature
        specs = keras.tree.flatten((arguments, keywords))
        tensors = [spec for spec in specs if isinstance(spec, tf.TensorSpec)]
        if len(tensors) == 1:
            traces.append((tensors[0], function.structured_outputs))
    return traces


def _keras_variables(loaded: Any) -> list[keras.Variable]:
    """Returns Keras variables that share the variables which the loaded functions read."""
    trainable = list(getattr(loaded, "trainable_variables", ()))
    ids = {id(variable) for variable in trainable}
    others = [v for v in getattr(loaded, "variables", ()) if id(v) not in ids]
    return [
        # Optimizers derive names from these, in which ":" and "/" are not allowed.
        keras.Variable(v, trainable=id(v) in ids, name=v.name.split(":")[0].replace("/", "_"))
        for v in trainable + others
    ]
