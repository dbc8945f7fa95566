"""A published file into a folder: `model.keras`, a SavedModel, golden outputs and a card."""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_mlp.arguments import check_choice
from keras_mlp.convert.card import card
from keras_mlp.convert.reference import difference, read_reference
from keras_mlp.export import check_tensorflow_backend, export_saved_model, sha256_of
from keras_mlp.golden import write_golden
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.weights.catalogue import find_preset
from keras_mlp.weights.download import cache_folder
from keras_mlp.whole_files import check_replaceable, whole_folder

MODEL_FILE, SAVED_MODEL, CARD = "model.keras", "saved_model", "README.md"
_GOLDEN_IMAGES = 2


@dataclasses.dataclass(frozen=True)
class Source:
    """What is converted.

    Attributes:
        name: of a preset, or the path of a file in a published naming.
        architecture: key of `ARCHITECTURES`, for a file; a preset says itself what it is.
        variant: key of its `variants`, for a file.
        file: where you have the preset's file; None to take it from the cache or the network.
        arguments: further arguments of the constructor, as a dict.
    """

    name: str
    architecture: str | None = None
    variant: str | None = None
    file: str | None = None
    arguments: dict = dataclasses.field(default_factory=dict)

    def is_preset(self):
        return self.architecture is None

    def preset(self):
        """The row of the catalogue, or None for a file."""
        return find_preset(self.name) if self.is_preset() else None

    def path(self):
        """Where the file lies, once the model has been built."""
        if not self.is_preset():
            return pathlib.Path(self.name)
        row = self.preset()
        return pathlib.Path(self.file or cache_folder() / f"{row.name}{row.suffix}")

    def build(self):
        """The model with its weights; errors as of `VisionModel.from_preset`."""
        if self.is_preset():
            return VisionModel.from_preset(self.name, file=self.file, **self.arguments)
        check_choice("architecture", self.architecture, ARCHITECTURES)
        path = pathlib.Path(self.name)
        return ARCHITECTURES[self.architecture].from_preset(
            path, variant=self.variant, **self.arguments
        )


def convert(source, output, *, reference=None, overwrite=False):
    """Converts a published file.

    The folder holds `model.keras`; `saved_model`, see `export_saved_model`; `golden.npz`, with
    random `images` (B, H, W, C), uint8, and the model's `outputs` for them; and `README.md`, which
    says what it is and what was checked.

    Args:
        source: a `Source`.
        output: folder to write, in an existing folder. It appears whole or not at all.
        reference: path of a `.npz`, see `keras_mlp.convert.reference.read_reference`, that the
            logits of the reloaded `model.keras` are compared with; None for no comparison.
        overwrite: replace a folder that was converted before.

    Returns:
        `output`, as a `pathlib.Path`.

    Raises:
        FileExistsError: there is something at `output`, and `overwrite` is False or it is no
            folder with a `model.keras`.
        ValueError: there is no such preset, or the file does not fit the model, or the model does
            not compute what the reference says.
        OSError: a file cannot be had, or `output` cannot be written.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    >>> convert(Source("gmlp_s16_224.ra3_in1k"), "gmlp")  # doctest: +SKIP
    """
    check_tensorflow_backend()
    output, preset = pathlib.Path(output), source.preset()
    check_replaceable(
        output, overwrite, lambda path: (path / MODEL_FILE).is_file(), f"holds no {MODEL_FILE}"
    )
    expected = None if reference is None else read_reference(reference)
    model = source.build()
    with whole_folder(output) as folder:
        model.save(folder / MODEL_FILE)
        model = keras.saving.load_model(folder / MODEL_FILE)
        found = None if expected is None else difference(model, expected)
        golden = _write_golden(model, folder)
        export_saved_model(model, folder / SAVED_MODEL)
        text = card(
            model,
            title=output.name,
            preset=preset,
            source_name=source.path().name,
            source_sha256=sha256_of(source.path()),
            difference=found,
            reference=reference and pathlib.Path(reference).name,
            golden=golden,
        )
        (folder / CARD).write_text(text)
    return output


def _write_golden(model, folder):
    """Stores outputs for random pixels; returns them."""
    shape = (_GOLDEN_IMAGES, *model.image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    write_golden(folder, images, outputs=outputs)
    return outputs
