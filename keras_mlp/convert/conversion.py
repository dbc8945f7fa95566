"""Converts a published file to a folder: model.keras, SavedModel, golden outputs and card."""

import dataclasses
import os
import pathlib
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import check_choice, check_optional, check_path, shown
from keras_mlp.convert.card import card
from keras_mlp.convert.reference import difference, read_reference
from keras_mlp.export import check_tensorflow_backend, export_saved_model, sha256_of
from keras_mlp.golden import write_golden
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.typing import Array
from keras_mlp.weights import Preset
from keras_mlp.weights.catalogue import find_preset
from keras_mlp.weights.download import cache_folder
from keras_mlp.whole_files import check_replaceable, whole_folder

MODEL_FILE, SAVED_MODEL, CARD = "model.keras", "saved_model", "README.md"
_GOLDEN_IMAGES = 2


@dataclasses.dataclass(frozen=True)
class Source:
    """What to convert.

    Attributes:
        name: name of a preset, or path of a file in a published naming.
        architecture: key of `ARCHITECTURES` for a file; None for a preset.
        variant: key of the architecture's `variants`, for a file.
        file: path of the preset's file, if you have it; None to download it or use the cache.
        arguments: further arguments of the constructor.
    """

    name: str
    architecture: str | None = None
    variant: str | None = None
    file: str | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        """Raises ValueError if an attribute has a wrong type."""
        check_path("source", self.name)
        check_optional("file", self.file, check_path)
        if not isinstance(self.arguments, dict):
            raise ValueError(f"`arguments` must be a dict, got {shown(self.arguments)}.")

    def is_preset(self) -> bool:
        """Returns whether `name` is a preset's."""
        return self.architecture is None

    def preset(self) -> Preset | None:
        """Returns the preset, or None for a file."""
        return find_preset(self.name) if self.is_preset() else None

    def path(self) -> pathlib.Path:
        """Returns the path of the file. A preset's exists once the model has been built."""
        row = self.preset()
        if row is None:
            return pathlib.Path(self.name)
        return pathlib.Path(self.file or cache_folder() / f"{row.name}{row.suffix}")

    def build(self) -> VisionModel:
        """Returns the model with its weights. Raises what `VisionModel.from_preset` raises."""
        if self.architecture is None:
            return VisionModel.from_preset(self.name, file=self.file, **self.arguments)
        check_choice("architecture", self.architecture, ARCHITECTURES)
        path = pathlib.Path(self.name)
        return ARCHITECTURES[self.architecture].from_preset(
            path, variant=self.variant, **self.arguments
        )


def convert(
    source: Source,
    output: str | os.PathLike[str],
    *,
    reference: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Converts a published file to a folder of files that are ready to use.

    The folder holds `model.keras`; `saved_model`, see `export_saved_model`; `golden.npz`, with
    random uint8 `images` (B, H, W, C) and the model's `outputs` for them; and `README.md`, a card
    that describes the model and what was checked.

    Args:
        source: what to convert.
        output: folder to write, in an existing folder. It appears complete or not at all.
        reference: path of a `.npz` with reference logits to compare those of the reloaded
            `model.keras` with, see `keras_mlp.convert.reference.read_reference`; None for no
            comparison.
        overwrite: replace a folder that was converted before.

    Returns:
        `output`, as a `pathlib.Path`.

    Raises:
        FileExistsError: `output` exists, and `overwrite` is False or it is not a folder with a
            `model.keras`.
        ValueError: the preset does not exist, the file does not fit the model, or the logits
            differ from the reference.
        OSError: a file cannot be obtained, or `output` cannot be written.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> convert(Source("gmlp_s16_224.ra3_in1k"), "gmlp")  # doctest: +SKIP
    """
    check_tensorflow_backend()
    source.check()
    output, preset = check_path("output", output), source.preset()
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
            reference=None if reference is None else pathlib.Path(reference).name,
            golden=golden,
        )
        (folder / CARD).write_text(text, encoding="utf-8")
    return output


def _write_golden(model: VisionModel, folder: pathlib.Path) -> Array:
    """Writes the outputs for random pixels and returns them."""
    shape = (_GOLDEN_IMAGES, *model.image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    outputs = keras.ops.convert_to_numpy(model(images, training=False))
    write_golden(folder, images, outputs=outputs)
    return outputs
