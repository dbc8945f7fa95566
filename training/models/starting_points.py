"""Starting points of fine-tuning: trained models, and any SavedModel that keras_mlp exported."""

import pathlib

import keras
import numpy as np

import keras_mlp
from keras_mlp.arguments import check_choice
from keras_mlp.layers.layer_changes import unfreeze
from keras_mlp.typing import Config
from training.config import Transfer, Way
from training.models.opened_model import check_reads_saved_models
from training.models.trained_model import check_source, keras_file, trained_model

WAYS: tuple[Way, ...] = ("frozen", "fine-tuned", "from scratch")
DEPLOYED = (
    "The source is in its deployed form, which trains differently: prefer the model.keras that it "
    "was made from."
)


def open_starting_point(
    source: str | pathlib.Path, transfer: Transfer
) -> "TrainedModel | SavedModelFolder":
    """Opens the starting point that a user names.

    Args:
        source: see `training.models.trained_model.KINDS`.
        transfer: a `training.config.Transfer`.

    Returns:
        `SavedModelFolder` for a SavedModel of features, or of another Keras model; `TrainedModel`
        for everything else.

    Raises:
        ValueError: it is none of these, cannot be read, or cannot be fine-tuned as `transfer` asks.
        OSError: published weights cannot be obtained.
    """
    path = pathlib.Path(source)
    check_source("--source", str(source))
    if path.is_dir() and keras_file(path) is None:
        check_reads_saved_models(path)
        if transfer != Transfer():
            raise ValueError(
                f"`--source` {path} is a SavedModel, which does not expose its layers: `transfer` "
                "needs a .keras file."
            )
        info = keras_mlp.saved_model_info(path)
        if info["output"] == "features" or info["config"] is None:
            return SavedModelFolder(path)
    return TrainedModel(trained_model(source), transfer)


class TrainedModel:
    """A model that is rebuilt with a new head.

    Attributes:
        image_shape: (H, W, C) that the model takes.
        ways: which of `WAYS` it offers.
        notes: what a user must know before the work starts, as sentences.
    """

    ways: tuple[str, ...] = WAYS
    notes: tuple[str, ...] = ()

    def __init__(self, model: keras_mlp.VisionModel, transfer: Transfer) -> None:
        self.model = model
        if getattr(model, "deployed", False):
            self.notes = (DEPLOYED,)
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
        if transfer.freeze_through is not None or transfer.lora_rank:
            self._check_that_something_learns()

    def _check_that_something_learns(self) -> None:
        """Tries now what would otherwise fail after the other ways have trained."""
        try:
            trained = self.build("fine-tuned", 2).trainable_weights
        except ValueError as error:
            raise ValueError(
                f"`transfer.lora_rank`={self.transfer.lora_rank} does not fit: {error}"
            ) from error
        if not trained:
            raise ValueError(
                f"`transfer.freeze_through`={self.transfer.freeze_through!r} freezes everything: "
                "name a layer before the head."
            )

    def build(self, way: str, num_classes: int) -> keras_mlp.VisionModel:
        """A model for a new task, with a new head; see `WAYS`."""
        model = keras_mlp.with_new_head(self.model, num_classes)
        unfreeze(model)
        if way == "from scratch":
            return unchanged(type(model), model.get_config())
        if way == "frozen":
            freeze_all_but_the_head(model)
        elif self.transfer.freeze_through is not None:
            keras_mlp.freeze_through(model, self.transfer.freeze_through)
        elif self.transfer.lora_rank:
            keras_mlp.enable_lora(model, self.transfer.lora_rank)
        return model

    def finished(self, model: keras_mlp.VisionModel) -> keras_mlp.VisionModel:
        """A fine-tuned model as it is saved: low-rank factors are merged."""
        return keras_mlp.merge_lora(model) if self.transfer.lora_rank else model


class SavedModelFolder:
    """A SavedModel, used as a layer and followed by a linear classifier.

    Attributes:
        image_shape: (H, W, C) that the SavedModel takes.
        ways, notes: as of `TrainedModel`.
    """

    ways: tuple[str, ...] = WAYS
    notes: tuple[str, ...] = ()

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path.absolute()  # the layer's file must work from any folder
        self.info = keras_mlp.saved_model_info(path)
        self.image_shape = tuple(self.info["image_shape"])
        self.describes_itself = self.info["class_name"] in keras_mlp.ARCHITECTURES
        if not self.describes_itself:
            self.ways = WAYS[:2]
            self.notes = (
                f"{path} holds a {self.info['class_name']} and does not describe how to build it: "
                "there is no training from scratch.",
                "model.keras will need that folder and `safe_mode=False`; saved_model/ will not.",
            )

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

    def finished(self, model: keras.Model) -> keras.Model:
        """A fine-tuned model as it is saved: a keras_mlp model, if the SavedModel holds one."""
        if not self.describes_itself:
            return model
        (layer,) = (each for each in model.layers if isinstance(each, keras_mlp.SavedModelLayer))
        head = model.get_layer("head")
        whole = keras_mlp.with_new_head(layer.to_model(), head.units)
        kernel, bias = (np.asarray(weight) for weight in head.weights)
        new = whole.get_layer("head")
        if isinstance(new, keras_mlp.layers.DistilledHead):  # the mean of two classifiers
            first, second = np.split(2 * kernel, 2)
            new.set_weights([first, bias, second, bias])
        else:
            new.set_weights([kernel, bias])
        return whole

    def _untrained(self) -> keras_mlp.VisionModel:
        architecture = keras_mlp.ARCHITECTURES[self.info["class_name"]]
        config = {**self.info["config"], "include_top": False, "pooling": "avg"}
        return unchanged(architecture, config)


def freeze_all_but_the_head(model: keras_mlp.VisionModel) -> None:
    """Leaves the classifier as the only layer that trains."""
    for layer in model.layers:
        layer.trainable = layer.name == "head"


def unchanged(architecture: type[keras_mlp.VisionModel], config: Config) -> keras_mlp.VisionModel:
    """A new model with these arguments: not frozen, not quantized, without LoRA factors."""
    return architecture.from_config(
        {**config, "name": None, "frozen": (), "quantized": {}, "lora": {}}
    )
