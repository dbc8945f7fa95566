"""Makes an artefact from a finished run of training.train:

    python -m saved_models.make runs/compare/MLPMixer/seed0 --output saved_models

The folder, here saved_models/mixer_fashion_mnist, appears whole or not at all.
"""

from saved_models.command_line import FORMS, make_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    make_options(__doc__)

import pathlib
import re
from collections.abc import Sequence

import numpy as np

import keras_mlp
from keras_mlp.arguments import check_choice
from keras_mlp.deploy import has_training_form
from keras_mlp.golden import GOLDEN_IMAGES, write_golden
from keras_mlp.json_files import write_json
from keras_mlp.typing import ImageShape
from keras_mlp.whole_files import check_replaceable, whole_folder, write_text
from saved_models import artefact
from saved_models.artefact import check_output
from saved_models.card import write_card
from saved_models.golden import keras_outputs
from saved_models.manifest import write_manifest
from saved_models.measure import measure
from saved_models.run import Run, without_paths
from training.data.checks import check_names
from training.data.splits import Split
from training.program_end import clear_end
from training.reports.provenance import provenance
from training.terminal import set_up_terminal


def make(
    run: str | pathlib.Path,
    output: str | pathlib.Path,
    *,
    form: str = "deployed",
    sizes: Sequence[tuple[int, int]] = (),
    name: str | None = None,
    overwrite: bool = False,
    data_dir: str | None = None,
) -> pathlib.Path:
    """Writes an artefact: models, labels, golden outputs, metrics, card and manifest.

    The SavedModels of a run over several `data.image_sizes` take images of each of these sizes, by
    one set of variables, and the card has the accuracy at each.

    Args:
        run: workdir of a finished `training.train`, with `model.keras` and `metrics.json`.
        output: folder to create the artefact's folder in; it is created if it does not exist.
        form: form of a RepMLPNet's SavedModels: "deployed", folded by `keras_mlp.deploy`, or
            "training". `model.keras` is always in the training form. Other architectures have one
            form.
        sizes: pairs (H, W) of further image sizes; each gets a classifier in `sizes/HxW`, whose
            weights `keras_mlp.with_image_shape` resizes.
        name: name of the artefact's folder; None for one made of architecture and dataset.
        overwrite: replace an existing artefact. It stays until the new one is complete.
        data_dir: where TFDS keeps prepared datasets; None for the folder in the run's config.

    Returns:
        The path of the artefact.

    Raises:
        ValueError: the run is unfinished or damaged, its data is missing, an argument is out of
            range, or the architecture cannot change its image size.
        FileExistsError: the folder exists and `overwrite` is False, or it is not an artefact.
    """
    check_choice("form", form, FORMS)
    finished = Run(run, data_dir)
    path = _destination(output, name or finished.name, overwrite)
    classes = finished.metrics["classes"]
    check_names(classes, f"`RUN` {run}")
    models = _models(finished.model, form, sizes)
    shapes = finished.further_shapes
    if shapes and models[artefact.CLASSIFIER] is not finished.model:
        raise ValueError(
            f"`--form` deployed folds the weights for one image size, and `RUN` {run} was trained "
            "over several: give `--form training`."
        )
    split = finished.test_split()
    splits = {shape: finished.test_split(shape) for shape in shapes}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(path) as folder:
        finished.save(folder / artefact.KERAS_MODEL)
        write_text(folder / artefact.LABELS, "".join(f"{name}\n" for name in classes))
        _write_golden(run, finished.model, split, folder)  # first: it refuses a diverged model
        _write_saved_models(models, classes, folder, finished.upright, shapes)
        metrics = {
            "format_version": artefact.FORMAT_VERSION,
            "name": path.name,
            **measure(folder, finished.model, models, split, finished.batch_size, splits),
            "training": finished.metrics,
            "made": without_paths(provenance()),
        }
        write_json(folder / artefact.METRICS, metrics)
        write_card(folder)
        write_manifest(folder, path.name)
    return path


def blocks_of(model: keras_mlp.VisionModel) -> list[str]:
    """Names of a model's blocks; its classifier gives their outputs as features."""
    return [block.name for block in model.blocks]


def _destination(output: str | pathlib.Path, name: str, overwrite: bool) -> pathlib.Path:
    output = pathlib.Path(output)
    check_output(output)
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name):
        raise ValueError(
            f"`--name` must be lower-case letters and digits, with single _ or -, got {name!r}."
        )
    path = output / name
    check_replaceable(
        path,
        overwrite,
        lambda path: (path / artefact.MANIFEST).is_file(),
        "is not an artefact",
        option="--overwrite",
    )
    return path


def _models(
    model: keras_mlp.VisionModel, form: str, sizes: Sequence[tuple[int, int]]
) -> dict[str, keras_mlp.VisionModel]:
    """Maps the path of each SavedModel with logits to its Keras model; raises before any work."""
    models = {artefact.CLASSIFIER: _in_form(model, form)}
    for height, width in sizes:
        resized = keras_mlp.with_image_shape(model, (height, width, model.image_shape[-1]))
        # Resize before folding: a deployed RepMLPNet holds matrices in place of its convolutions.
        models[f"{artefact.SIZES}/{height}x{width}"] = _in_form(resized, form)
    return models


def _in_form(model: keras_mlp.VisionModel, form: str) -> keras_mlp.VisionModel:
    return keras_mlp.deploy(model) if form == "deployed" and has_training_form(model) else model


def _write_saved_models(
    models: dict[str, keras_mlp.VisionModel],
    classes: Sequence[str],
    folder: pathlib.Path,
    upright: bool,
    shapes: Sequence[ImageShape],
) -> None:
    for name, model in models.items():
        (folder / name).parent.mkdir(exist_ok=True)
        keras_mlp.export_saved_model(
            model,
            folder / name,
            features=blocks_of(model),
            class_names=classes,
            upright=upright,
            image_shapes=shapes if name == artefact.CLASSIFIER else (),
        )
    classifier = models[artefact.CLASSIFIER]
    keras_mlp.export_saved_model(
        classifier,
        folder / artefact.FEATURE_VECTOR,
        output="features",
        upright=upright,
        image_shapes=shapes,
    )


def _write_golden(
    run: str | pathlib.Path, model: keras_mlp.VisionModel, split: Split, folder: pathlib.Path
) -> None:
    examples = split.examples.take(GOLDEN_IMAGES).as_numpy_iterator()
    images = np.stack([image for image, _ in examples])
    outputs = keras_outputs(model, images)
    if not all(np.isfinite(each).all() for each in outputs.values()):
        raise ValueError(
            f"`RUN` {run} holds a model whose outputs are not finite: its training has "
            f"diverged. `python -m training.back_to_best {run}` returns to its best checkpoint."
        )
    write_golden(folder, images, **outputs)


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_options(__doc__, arguments)
    set_up_terminal()
    with clear_end(RuntimeError):
        print(make(**vars(options)))


if __name__ == "__main__":
    main()
