"""Checks artefacts, or single SavedModels of artefacts, in a folder or a .tar.gz file:

    python -m saved_models.verify saved_models/mixer_fashion_mnist published/classifier.tar.gz

Nothing is loaded until the digests match and the graphs are known not to touch files. Prints one
line per problem; the exit code is 1 if there are any.
"""

from saved_models.command_line import verify_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    verify_options(__doc__)

import contextlib
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_mlp import saved_model_info
from keras_mlp.errors import first_line
from keras_mlp.export import INFO_FILE
from keras_mlp.typing import Array
from saved_models import artefact
from saved_models.archive import unpacked
from saved_models.card import card, curve
from saved_models.golden import TOLERANCE, golden_problems, keras_problems, tolerance_of
from saved_models.hub_card import without_front_matter
from saved_models.interface import interface_problems
from saved_models.learning import learning_problems
from saved_models.manifest import digests, manifest_problems, name_problems
from saved_models.measure import resized
from saved_models.operations import operation_problems
from training.terminal import set_up_terminal


def problems_of(path: str | pathlib.Path) -> list[str]:
    """Finds problems in an artefact, or in a single SavedModel of one.

    Args:
        path: the folder, or a `.tar.gz` of it.

    Returns:
        A list of sentences, empty if there are no problems.
    """
    path = pathlib.Path(path)
    try:
        with _folder(path) as folder:
            if (folder / INFO_FILE).is_file():
                return saved_model_problems(folder)
            return artefact_problems(folder, renamed=folder == path)
    except (ValueError, OSError) as error:
        return [first_line(error)]
    except (KeyError, TypeError, AttributeError) as error:  # JSON of an unexpected shape
        return [f"It is damaged: {error!r} while reading its descriptions."]


def artefact_problems(folder: pathlib.Path, renamed: bool = True) -> list[str]:
    """Finds problems in an artefact's folder, as sentences.

    Args:
        folder: path of the folder.
        renamed: whether a folder whose name is not the artefact's is a problem.
    """
    problems = manifest_problems(folder)
    if renamed:
        problems += name_problems(folder)
    if problems:
        return problems
    parts = artefact.saved_model_names(folder)
    problems = [problem for part in parts for problem in operation_problems(folder / part)]
    return problems or _content_problems(folder, parts)


def saved_model_problems(folder: pathlib.Path) -> list[str]:
    """Problems of a SavedModel on its own; without golden outputs it is compared with itself."""
    listed = saved_model_info(folder)["sha256"]
    found = {path: digest for path, digest in digests(folder).items() if path != INFO_FILE}
    wrong = sorted(
        path for path in listed.keys() | found.keys() if listed.get(path) != found.get(path)
    )
    problems = [f"{path} does not match {INFO_FILE}." for path in wrong]
    problems = problems or operation_problems(folder)
    if problems:
        return problems
    info = saved_model_info(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *info["image_shape"])).astype("uint8")
    loaded = artefact.load_saved_model(folder)
    return _saved_model_problems(folder, folder.name, loaded, pixels, loaded(pixels).numpy())


def _content_problems(folder: pathlib.Path, parts: Sequence[str]) -> list[str]:
    """Problems inside files that match the manifest; the graphs last, as they take longest."""
    metrics, golden = artefact.read_metrics(folder), artefact.read_golden(folder)
    problems = _kind_problems(folder) or _label_problems(folder, metrics, golden)
    if card(metrics) != without_front_matter((folder / artefact.CARD).read_text(encoding="utf-8")):
        problems.append(
            f"{artefact.CARD} does not match {artefact.METRICS}: see saved_models.card."
        )
    problems += keras_problems(artefact.load_keras_model(folder), golden)
    if problems:
        return problems
    tolerance = tolerance_of(metrics["form"])
    problems = _size_problems(folder, metrics, golden["images"], tolerance)
    return problems or [
        problem
        for part in parts
        for problem in _part_problems(folder / part, part, golden, tolerance)
    ]


def _part_problems(
    folder: pathlib.Path, part: str, golden: dict[str, Array], tolerance: float
) -> list[str]:
    """Problems of one of an artefact's SavedModels."""
    loaded = artefact.load_saved_model(folder)
    if part in artefact.OUTPUTS:
        pixels, outputs = golden["images"], golden[artefact.OUTPUTS[part]]
    else:
        pixels = resized(golden["images"], saved_model_info(folder)["image_shape"])
        outputs = loaded(pixels).numpy()
    return _saved_model_problems(folder, part, loaded, pixels, outputs, tolerance)


def _size_problems(
    folder: pathlib.Path, metrics: dict[str, Any], images: Array, tolerance: float
) -> list[str]:
    """The sizes of the card at which the classifier differs from the Keras model."""
    sizes = curve(metrics)
    if not sizes:
        return []
    model = artefact.load_keras_model(folder)
    loaded = artefact.load_saved_model(folder / artefact.CLASSIFIER)
    problems = []
    for height, width in (each["size"] for each in sizes):
        shape = (height, width, images.shape[-1])
        pixels = resized(images, shape)
        expected = np.asarray(model.at(shape)(pixels, training=False))
        name = f"{artefact.CLASSIFIER} at {height} x {width}"
        problems += golden_problems(name, loaded(pixels), expected, tolerance)
    return problems


def _saved_model_problems(
    folder: pathlib.Path,
    name: str,
    loaded: Any,
    pixels: Array,
    outputs: Array,
    tolerance: float = TOLERANCE,
) -> list[str]:
    info = saved_model_info(folder)
    features = info.get("features", ())
    problems = interface_problems(name, loaded, pixels, outputs, tolerance, features)
    # Last, since it changes the variables.
    return problems or learning_problems(name, loaded, pixels, info["class_name"])


def _kind_problems(folder: pathlib.Path) -> list[str]:
    """SavedModels whose declared output does not match the name of their folder."""
    kinds = {part: saved_model_info(folder / part)["output"] for part in artefact.OUTPUTS}
    return [
        f"{part} is a SavedModel that outputs {kinds[part]}, not {output}."
        for part, output in artefact.OUTPUTS.items()
        if kinds[part] != output
    ]


def _label_problems(
    folder: pathlib.Path, metrics: dict[str, Any], golden: dict[str, Array]
) -> list[str]:
    """Every list of classes must be the same, and as long as the logits are wide."""
    classifier = folder / artefact.CLASSIFIER
    lists = {
        artefact.LABELS: artefact.read_labels(folder),
        f"{artefact.CLASSIFIER}/{INFO_FILE}": saved_model_info(classifier).get("class_names"),
        f"{artefact.CLASSIFIER}/assets/{artefact.LABELS}": artefact.read_labels(
            classifier / "assets"
        ),
    }
    classes, width = metrics["classes"], golden["logits"].shape[-1]
    problems = [
        f"{file} and {artefact.METRICS} list different classes."
        for file, names in lists.items()
        if names != classes
    ]
    if width != len(classes):
        problems.append(f"There are {len(classes)} labels for {width} logits.")
    return problems


@contextlib.contextmanager
def _folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The folder that holds the files: `path` itself, or the unpacked tarball."""
    if path.is_dir():
        yield path
    elif path.is_file() and path.name.endswith(".tar.gz"):
        with unpacked(path) as folder:
            inside = [each for each in folder.iterdir() if (each / artefact.MANIFEST).is_file()]
            yield inside[0] if len(inside) == 1 else folder
    else:
        raise ValueError(f"`PATH` {path} is neither a folder nor a .tar.gz file.")


def main(arguments: Sequence[str] | None = None) -> None:
    paths = verify_options(__doc__, arguments).paths
    set_up_terminal()
    failed = False
    for path in paths:
        problems = problems_of(path)
        failed = failed or bool(problems)
        for problem in problems:
            print(f"{path}: {problem}")
        if not problems:
            print(f"{path}: no problems")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
