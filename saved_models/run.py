"""A finished run of `training.train`, as the programs here read it."""

import pathlib
import re
import shlex

from saved_models.artefact import KERAS_MODEL, METRICS, load_keras_model, read_json
from training.config import Data
from training.data.pipeline import load_splits

# The first part of an artefact's name.
SHORT_NAMES = {
    "MLPMixer": "mixer",
    "ViT": "vit",
    "RepMLPNet": "repmlpnet",
    "FFOnly": "ffonly",
    "ResMLP": "resmlp",
    "GMLP": "gmlp",
    "VisionPermutator": "vip",
}


class Run:
    """A run's model and metrics.

    Args:
        path: its folder, the workdir of `training.train`.
        data_dir: where TFDS keeps prepared datasets; None for what the run's config says.

    Attributes:
        model: what it trained.
        model_file: where it is stored.
        metrics: the dict in its `metrics.json`, without paths of the machine.

    Raises:
        ValueError: the run is not finished, is damaged, is none of `training.train`, or computed in
            another precision than float32.
    """

    def __init__(self, path, data_dir=None):
        path = pathlib.Path(path)
        if not (path / METRICS).is_file():
            raise ValueError(f"`RUN` {path} is no finished run: it has no {METRICS}.")
        metrics = read_json(path / METRICS, ("test", "classes", "config", "command"))
        if "model" not in metrics["config"]:
            raise ValueError(f"`RUN` {path} is no run of training.train: it trained no new model.")
        data = metrics["config"]["data"]
        dtype = metrics["config"]["runtime"]["dtype"]
        if dtype != "float32":
            raise ValueError(
                f"`RUN` {path} computed in {dtype}: artefacts are float32, in which SavedModel and "
                "Keras model agree to rounding."
            )
        self._data = Data(
            **{
                **data,
                "classes": tuple(data["classes"]),
                "data_dir": data_dir or data["data_dir"],
            }
        )
        self.metrics = without_paths(metrics)
        self.model = load_keras_model(path)
        self.model_file = path / KERAS_MODEL

    @property
    def name(self):
        """What the artefact is called unless told otherwise, such as "mixer_fashion_mnist"."""
        architecture = type(self.model).__name__
        return f"{SHORT_NAMES[architecture]}_{self._data.name}"

    @property
    def batch_size(self):
        return self._data.batch_size

    def test_split(self):
        """The test split as the run read it; ValueError where the data is not there."""
        return load_splits(self._data, tuple(self.model.image_shape)).test


def without_paths(metrics):
    """Metrics without folders of the machine that made them: they say nothing to others."""
    command = [_shortened(word) for word in shlex.split(metrics["command"])]
    command = re.sub(r" --set data\.data_dir=\S+| --data-dir \S+", "", shlex.join(command))
    metrics = {**metrics, "command": command}
    if "config" in metrics:
        config = metrics["config"]
        metrics["config"] = {**config, "data": {**config["data"], "data_dir": None}}
    return metrics


def _shortened(word):
    """An absolute path's last part; any other word as it is."""
    return pathlib.PurePath(word).name if pathlib.PurePath(word).is_absolute() else word
