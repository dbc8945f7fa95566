"""A finished run of `training.train`: its model, metrics and test data."""

import pathlib
import re
import shlex
import shutil
from typing import Any

import keras_mlp
from keras_mlp.arguments import check_pair
from keras_mlp.typing import ImageShape
from saved_models.artefact import KERAS_MODEL, METRICS, load_keras_model, read_dict
from training.config import Data
from training.data.checks import PICTURES
from training.data.pipeline import load_splits
from training.data.splits import Split
from training.report import METRICS_WAY_OUT


class Run:
    """A run's model and metrics.

    Args:
        path: the run's folder, the workdir of `training.train` or `training.finetune`.
        data_dir: where TFDS keeps prepared datasets; None for the folder in the run's config.

    Attributes:
        model: the trained model. It computes in float32, so that SavedModel and Keras model agree
            up to rounding: one that was trained in mixed precision has the same float32 weights.
        metrics: the dict in its `metrics.json`, without paths of the machine.

    Raises:
        ValueError: the run is unfinished or damaged, is not a run of `training.train`, or its
            weights are not float32.
    """

    def __init__(self, path: str | pathlib.Path, data_dir: str | None = None) -> None:
        path = pathlib.Path(path)
        if not (path / METRICS).is_file():
            raise ValueError(f"`RUN` {path} is not a finished run: it has no {METRICS}.")
        metrics = read_dict(
            path / METRICS,
            ("test", "classes", "config", "command"),
            lambda metrics: "model" not in metrics["config"] or _data(metrics, data_dir),
            METRICS_WAY_OUT,
        )
        if "model" not in metrics["config"]:
            raise ValueError(
                f"`RUN` {path} did not train a new model: it is not a run of training.train."
            )
        self._data = _data(metrics, data_dir)
        self.metrics = without_paths(metrics)
        self._file, stored = path / KERAS_MODEL, load_keras_model(path)
        self.model = _in_float32(stored, path)
        self._is_stored = self.model is stored and stored.class_names is not None
        self.model.class_names = metrics["classes"]

    @property
    def name(self) -> str:
        """The artefact's default name, such as "mixer_digits"; pictures give their folder's."""
        name = self._data.name
        if name in PICTURES and self._data.data_dir:
            folder = pathlib.Path(self._data.data_dir).resolve().name
            name = "_".join(re.findall("[a-z0-9]+", folder.lower())) or name
        return f"{short_name(type(self.model))}_{name}"

    def save(self, path: pathlib.Path) -> None:
        """Writes the model's `.keras` file: the run's own, if it computes in float32."""
        if self._is_stored:
            shutil.copyfile(self._file, path)
        else:
            self.model.save(path)

    @property
    def batch_size(self) -> int:
        return self._data.batch_size

    @property
    def upright(self) -> bool:
        """Whether the run turned its pictures as their EXIF orientation asks."""
        return self._data.upright

    @property
    def further_shapes(self) -> list[ImageShape]:
        """The image shapes that the run trained at besides the model's own (`data.image_sizes`)."""
        own = tuple(self.model.image_shape)
        sizes = [check_pair("data.image_sizes", size) for size in self._data.image_sizes]
        shapes = dict.fromkeys((*size, own[-1]) for size in sizes)
        return [shape for shape in shapes if shape != own]

    def test_split(self, image_shape: ImageShape | None = None) -> Split:
        """The test split as the run read it, at a shape; ValueError if the data is missing."""
        return load_splits(self._data, tuple(image_shape or self.model.image_shape)).test


def _in_float32(model: keras_mlp.VisionModel, path: pathlib.Path) -> keras_mlp.VisionModel:
    """The model with the same weights, computing in float32."""
    policy = model.dtype_policy
    if policy.variable_dtype != "float32":
        raise ValueError(
            f"`RUN` {path} has weights in {policy.variable_dtype}; an artefact needs a run in "
            "float32 or in mixed precision."
        )
    if policy.compute_dtype == "float32":
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": "float32"})
    copy.set_weights(model.get_weights())
    return copy


def short_name(architecture: type[keras_mlp.VisionModel]) -> str:
    """The first part of an artefact's name."""
    return architecture.short_name or architecture.__name__.lower()


def _data(metrics: dict[str, Any], data_dir: str | None) -> Data:
    """The data section of a run's config; an error if the metrics lack what is read of them."""
    shlex.split(metrics["command"])
    data, _ = metrics["config"]["data"], metrics["config"]["runtime"]["dtype"]
    classes, data_dir = tuple(data["classes"]), data_dir or data["data_dir"]
    return Data(**{**data, "classes": classes, "data_dir": data_dir})


def without_paths(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics without the folders of the machine that made them, which mean nothing elsewhere."""
    command = shlex.join(_shortened(word) for word in shlex.split(metrics["command"]))
    command = re.sub(r" --set data\.data_dir=\S+| --data-dir \S+", "", command)
    metrics = {**metrics, "command": command}
    if "source" in metrics:  # of training.finetune
        metrics["source"] = _shortened(metrics["source"])
    if "config" in metrics:
        config = metrics["config"]
        config = {**config, "data": {**config["data"], "data_dir": None}}
        if config.get("model", {}).get("source"):
            source = _shortened(config["model"]["source"])
            config["model"] = {**config["model"], "source": source}
        metrics["config"] = config
    return metrics


def _shortened(word: str) -> str:
    """The last part of an absolute path; any other word unchanged."""
    return pathlib.PurePath(word).name if pathlib.PurePath(word).is_absolute() else word
