"""What the inputs of the fuzzer are made of: models and files, each made once when asked for."""

import functools
import io
import json
import pathlib
import shutil

import keras
import numpy as np
from PIL import Image

import keras_mlp
from keras_mlp import ARCHITECTURES, save_checkpoint
from keras_mlp.weights.tensor_files import read_tensors
from tests.contract import with_random_weights
from tests.test_contract import ROWS
from tests.weights.torch_writer import write_torch

ROOT = pathlib.Path(__file__).parent.parent.parent
ARTEFACT = ROOT / "saved_models" / "mixer_fashion_mnist"
CHECKPOINTS = (".npz", ".safetensors", ".pth")
CLASSES = ("cat", "dog")


class Material:
    """Models and files.

    Args:
        folder: an empty folder for the files. Inputs only read what this class writes.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    @functools.cache  # noqa: B019, it lives as long as the process
    def toy(self, architecture):
        """A small model with random weights, which inputs must not change."""
        return with_random_weights(ARCHITECTURES[architecture](**ROWS[architecture].toy))

    def fresh(self, architecture):
        """A copy of a toy that an input may change."""
        model = self.toy(architecture)
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        return copy

    @functools.cached_property
    def lora(self):
        model = self.fresh("MLPMixer")
        keras_mlp.enable_lora(model, 2)
        return model

    @functools.cached_property
    def quantized(self):
        model = self.fresh("MLPMixer")
        model.quantize("int8")
        return model

    @functools.cached_property
    def plain(self):
        """Keras models that are not ours."""
        inputs = keras.Input((8, 8, 3))
        outputs = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
        unbuilt = keras.Sequential([keras.layers.Dense(2)])
        return keras.Model(inputs, outputs, name="plain"), unbuilt

    @functools.cached_property
    def plain_mixer(self):
        """A model of keras_mlp that lost its class."""
        model = self.toy("MLPMixer")
        return keras.Model(model.input, model.output, name="lost")

    def models(self):
        """Anything that a user may pass as a model."""
        return [
            *(self.toy(each) for each in ("MLPMixer", "ResMLP", "ViT", "RepMLPNet")),
            *(self.lora, self.quantized, *self.plain, self.plain_mixer, ARCHITECTURES["MLPMixer"]),
        ]

    @functools.cached_property
    def checkpoints(self):
        """The weights of the toy Mixer as files, by suffix."""
        paths = {}
        for suffix in CHECKPOINTS[:2]:
            paths[suffix] = save_checkpoint(self.toy("MLPMixer"), self.folder / f"weights{suffix}")
        tensors = read_tensors(paths[".safetensors"])
        paths[".pth"] = write_torch(tensors, self.folder / "weights.pth")
        return paths

    @functools.cached_property
    def keras_file(self):
        path = self.folder / "model.keras"
        self.toy("MLPMixer").save(path)
        return path

    @functools.cached_property
    def saved_model(self):
        return keras_mlp.export_saved_model(self.toy("MLPMixer"), self.folder / "saved_model")

    @functools.cached_property
    def pictures(self):
        """The bytes of pictures, good and bad, by a name with their suffix."""
        rng = np.random.default_rng(0)

        def encoded(form, mode="RGB", size=(9, 7)):
            channels = {"L": 1, "RGB": 3, "RGBA": 4, "P": 1, "CMYK": 4, "I;16": 1}[mode]
            pixels = rng.integers(0, 256, (*size[::-1], channels), "uint8")
            stream = io.BytesIO()
            if mode == "I;16":
                Image.fromarray(pixels[..., 0].astype("uint16") * 257).save(stream, form)
            else:
                pixels = pixels[..., 0] if channels == 1 else pixels
                Image.fromarray(pixels, mode).save(stream, form)
            return stream.getvalue()

        return {
            "good.jpg": encoded("JPEG"),
            "grey.jpg": encoded("JPEG", "L"),
            "cmyk.jpg": encoded("JPEG", "CMYK"),
            "good.png": encoded("PNG"),
            "alpha.png": encoded("PNG", "RGBA"),
            "deep.png": encoded("PNG", "I;16"),
            "palette.png": encoded("PNG", "P"),
            "one pixel.png": encoded("PNG", size=(1, 1)),
            "thin.png": encoded("PNG", size=(500, 1)),
            "really a gif.png": encoded("GIF", "P"),
            "really a bmp.jpg": encoded("BMP"),
            "UPPER.JPG": encoded("JPEG"),
        }

    @functools.cached_property
    def digits(self):
        """A folder in which TFDS finds the embedded digits."""
        from training.data.sources import find_dataset

        folder = self.folder / "tfds"
        folder.mkdir()
        find_dataset("digits", str(folder))
        return folder

    @functools.cached_property
    def metrics(self):
        """The metrics of an artefact, which a run's are a part of."""
        return json.loads((ARTEFACT / "metrics.json").read_text())

    @functools.cached_property
    def run(self):
        """The folder of a finished run, as `training.report` reads it."""
        folder = self.folder / "run"
        folder.mkdir()
        training = {**self.metrics["training"], "replicas": 1, "corrupt_pictures": 0}
        (folder / "metrics.json").write_text(json.dumps(training))
        history = [
            {"step": step, "epoch": step / 10, "seconds": 1.0, "train": {"loss": 1.0 / step}}
            for step in (10, 20)
        ]
        (folder / "history.jsonl").write_text("".join(json.dumps(e) + "\n" for e in history))
        for name in ("evaluation.json", "config.json"):
            (folder / name).write_text(
                json.dumps(_evaluation() if "eval" in name else training["config"])
            )
        shutil.copy(self.keras_file, folder / "model.keras")
        return folder


def _evaluation():
    per_class = [{"precision": 0.5, "recall": 0.5, "count": 2} for _ in CLASSES]
    return {
        "calibration_error": 0.1,
        "reliability": [],
        "data": "digits, test",
        "confusion": [[1, 1], [1, 1]],
        "classes": list(CLASSES),
        "per_class": per_class,
    }
