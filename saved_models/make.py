"""Makes an artefact of a finished run of training.train:

    python -m saved_models.make runs/compare/MLPMixer/seed0 --output saved_models

The folder, here saved_models/mixer_fashion_mnist, appears whole or not at all.
"""

import argparse
import json
import pathlib
import re
import shutil
import sys

import numpy as np

import keras_mlp
from keras_mlp.arguments import check_choice
from keras_mlp.golden import write_golden
from keras_mlp.whole_files import check_replaceable, whole_folder, write_text
from saved_models import artefact
from saved_models.card import write_card
from saved_models.golden import GOLDEN_IMAGES, keras_outputs
from saved_models.manifest import write_manifest
from saved_models.measure import measure
from saved_models.run import Run, without_paths
from training.reports.provenance import provenance

FORMS = ("deployed", "training")


def make(run, output, *, form="deployed", sizes=(), name=None, overwrite=False, data_dir=None):
    """Writes an artefact: models, labels, golden outputs, metrics, card and manifest.

    Args:
        run: workdir of a finished `training.train`, with `model.keras` and `metrics.json`.
        output: folder in which the artefact's folder is written; it must exist.
        form: of a RepMLPNet's SavedModels: "deployed", folded by `keras_mlp.deploy`, or
            "training". `model.keras` is always in the form that trains. Other architectures have
            one form.
        sizes: pairs (H, W) of further image sizes; each gets a classifier in `sizes/HxW`, its
            weights made to fit by `keras_mlp.with_image_shape`.
        name: of the artefact's folder; None for architecture and dataset.
        overwrite: replace an artefact that is there. It stays until the new one is complete.
        data_dir: where TFDS keeps prepared datasets; None for what the run's config says.

    Returns:
        The path of the artefact.

    Raises:
        ValueError: the run is not finished or damaged, its data is not there, an argument is out
            of range, or the architecture does not let its image size be changed.
        FileExistsError: there is something else, or an artefact and `overwrite` is False.
    """
    check_choice("form", form, FORMS)
    run = Run(run, data_dir)
    path = _destination(output, name or run.name, overwrite)
    models = _models(run.model, form, sizes)
    split = run.test_split()
    with whole_folder(path) as folder:
        shutil.copyfile(run.model_file, folder / artefact.KERAS_MODEL)
        _write_saved_models(models, run.metrics["classes"], folder)
        write_text(folder / artefact.LABELS, "".join(f"{x}\n" for x in run.metrics["classes"]))
        _write_golden(run.model, split, folder)
        metrics = {
            "format_version": artefact.FORMAT_VERSION,
            "name": path.name,
            **measure(folder, run.model, models, split, run.batch_size),
            "training": run.metrics,
            "made": without_paths(provenance()),
        }
        write_text(folder / artefact.METRICS, json.dumps(metrics, indent=2) + "\n")
        write_card(folder)
        write_manifest(folder, path.name)
    return path


def blocks_of(model):
    """Names of the blocks of a model, whose maps its classifier gives as features."""
    pattern = re.compile(r"(stage_\d+_)?block_\d+")
    return [layer.name for layer in model.layers if pattern.fullmatch(layer.name)]


def _destination(output, name, overwrite):
    output = pathlib.Path(output)
    if not output.is_dir():
        raise ValueError(f"`--output` {output} is no folder.")
    if not re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", name):
        raise ValueError(
            f"`--name` must be lower-case letters and digits, with single _ or -, got {name!r}."
        )
    path = output / name
    check_replaceable(
        path,
        overwrite,
        lambda path: (path / artefact.MANIFEST).is_file(),
        "is no artefact",
        option="--overwrite",
    )
    return path


def _models(model, form, sizes):
    """From the path of each SavedModel with logits to its Keras model, errors before any work."""
    models = {artefact.CLASSIFIER: _in_form(model, form)}
    for height, width in sizes:
        resized = keras_mlp.with_image_shape(model, (height, width, model.image_shape[-1]))
        # Resized first: the convolutions of a deployed RepMLPNet are folded into matrices.
        models[f"{artefact.SIZES}/{height}x{width}"] = _in_form(resized, form)
    return models


def _in_form(model, form):
    is_foldable = isinstance(model, keras_mlp.RepMLPNet) and not model.deployed
    return keras_mlp.deploy(model) if is_foldable and form == "deployed" else model


def _write_saved_models(models, classes, folder):
    for name, model in models.items():
        (folder / name).parent.mkdir(exist_ok=True)
        keras_mlp.export_saved_model(
            model, folder / name, features=blocks_of(model), class_names=classes
        )
    classifier = models[artefact.CLASSIFIER]
    keras_mlp.export_saved_model(classifier, folder / artefact.FEATURE_VECTOR, output="features")


def _write_golden(model, split, folder):
    examples = split.examples.take(GOLDEN_IMAGES).as_numpy_iterator()
    images = np.stack([image for image, _ in examples])
    write_golden(folder, images, **keras_outputs(model, images))


def _size(text):
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"must be HEIGHTxWIDTH, such as 32x48, got {text!r}")
    return int(match[1]), int(match[2])


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m saved_models.make",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="workdir of a finished training.train")
    add("--output", required=True, metavar="DIR", help="folder to write the artefact's folder in")
    add("--name", help="of the artefact's folder; architecture and dataset by default")
    add("--form", choices=FORMS, default="deployed", help="of a RepMLPNet's SavedModels")
    add("--sizes", nargs="+", type=_size, default=[], metavar="HxW", help="further image sizes")
    add("--data-dir", metavar="DIR", help="of TFDS; what the run's config says by default")
    add("--overwrite", action="store_true", help="replace an artefact that is there")
    return parser


def main(arguments=None):
    options = _parser().parse_args(arguments)
    try:
        print(make(**vars(options)))
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
