"""Starting points of fine-tuning: our model files and any reusable SavedModel."""

import pathlib

import keras

import keras_mlp
from keras_mlp.arguments import check_choice
from keras_mlp.errors import first_line
from keras_mlp.typing import Config
from training.config import Transfer
from training.models.opened_model import check_reads_saved_models

WAYS = ("frozen", "fine-tuned", "from scratch")


def open_starting_point(
    path: str | pathlib.Path, transfer: Transfer
) -> "KerasFile | SavedModelFolder":
    """Opens the starting point at a path.

    Args:
        path: path of a `keras_mlp` model's `.keras` file, or of a SavedModel's folder.
        transfer: a `training.config.Transfer`.

    Returns:
        `KerasFile` or `SavedModelFolder`.

    Raises:
        ValueError: it is neither, cannot be read, or cannot be fine-tuned as `transfer` asks.
    """
    path = pathlib.Path(path)
    if path.suffix == ".keras" and path.is_file():
        return KerasFile(path, transfer)
    if path.is_dir():
        check_reads_saved_models(path)
        if transfer != Transfer():
            raise ValueError(
                f"`--source` {path} is a SavedModel, which does not expose its layers: `transfer` "
                "needs a .keras file."
            )
        return SavedModelFolder(path)
    raise ValueError(f"`--source` {path} is neither a .keras file nor the folder of a SavedModel.")


class KerasFile:
    """A `.keras` file: the model itself, rebuilt with a new head.

    Attributes:
        image_shape: (H, W, C) that the model takes.
    """

    def __init__(self, path: pathlib.Path, transfer: Transfer) -> None:
        try:
            self.model = keras.models.load_model(path)
        except Exception as error:  # Keras can raise anything here
            message = f"{path} cannot be read; it may be damaged: {first_line(error)}"
            raise ValueError(message) from error
        if not isinstance(self.model, keras_mlp.VisionModel):
            raise ValueError(f"{path} holds a {type(self.model).__name__}, not a keras_mlp model.")
        self.image_shape = tuple(self.model.image_shape)
        self.transfer = transfer
        if transfer.freeze_through is not None:
            layers = [layer.name for layer in self.model.layers]
            check_choice("transfer.freeze_through", transfer.freeze_through, layers)
            if transfer.lora_rank:
                raise ValueError(
                    "`transfer.lora_rank` freezes every layer itself: `transfer.freeze_through` "
                    "must be None."
                )

    def build(self, way: str, num_classes: int) -> keras_mlp.VisionModel:
        """A model for a new task, with a new head; see `WAYS`."""
        model = keras_mlp.with_new_head(self.model, num_classes)
        model.trainable = True
        if way == "from scratch":
            return _unchanged(type(model), model.get_config())
        if way == "frozen":
            for layer in model.layers:
                layer.trainable = layer.name == "head"
        elif self.transfer.freeze_through is not None:
            keras_mlp.freeze_through(model, self.transfer.freeze_through)
        elif self.transfer.lora_rank:
            keras_mlp.enable_lora(model, self.transfer.lora_rank)
        return model


class SavedModelFolder:
    """A SavedModel, used as a layer and followed by a linear classifier.

    Attributes:
        image_shape: (H, W, C) that the SavedModel takes.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.info = keras_mlp.saved_model_info(path)
        self.image_shape = tuple(self.info["image_shape"])

    def build(self, way: str, num_classes: int) -> keras.Model:
        """A model for a new task, with a new head; see `WAYS`."""
        pixels = keras.Input(self.image_shape, dtype="uint8", name="pixels")
        if way == "from scratch":
            features = self._untrained()(pixels)
        else:
            layer = keras_mlp.SavedModelLayer(self.path, trainable=way == "fine-tuned")
            features = layer(pixels)
        head = keras.layers.Dense(num_classes, kernel_initializer="zeros", name="head")
        return keras.Model(pixels, head(features))

    def _untrained(self) -> keras_mlp.VisionModel:
        architecture = keras_mlp.ARCHITECTURES.get(self.info["class_name"])
        if architecture is None:
            raise ValueError(f"{self.path} does not describe how to build its model from scratch.")
        config = {**self.info["config"], "include_top": False, "pooling": "avg"}
        return _unchanged(architecture, config)


def _unchanged(architecture: type[keras_mlp.VisionModel], config: Config) -> keras_mlp.VisionModel:
    """A new model with these arguments: not frozen, not quantized, without LoRA factors."""
    return architecture.from_config(
        {**config, "name": None, "frozen": (), "quantized": {}, "lora": {}}
    )
