"""Checks artefacts, or single SavedModels of artefacts, in a folder or a .tar.gz file:

    python -m saved_models.verify saved_models/mixer_fashion_mnist published/classifier.tar.gz

Nothing is loaded before the digests are right and the graphs are known to touch no file. Prints a
line per problem; the exit code is 1 if there is any.
"""

import argparse
import contextlib
import pathlib
import sys

import numpy as np

from keras_mlp import saved_model_info
from keras_mlp.errors import first_line
from keras_mlp.export import INFO_FILE
from saved_models import artefact
from saved_models.archive import unpacked
from saved_models.card import card
from saved_models.golden import TOLERANCE, keras_problems, tolerance_of
from saved_models.interface import interface_problems
from saved_models.learning import learning_problems
from saved_models.manifest import digests, manifest_problems, read_manifest
from saved_models.measure import resized
from saved_models.operations import operation_problems


def problems_of(path):
    """What is wrong with an artefact, or with a single SavedModel of one.

    Args:
        path: its folder, or a `.tar.gz` of it.

    Returns:
        A list of sentences, empty if all is well.
    """
    path = pathlib.Path(path)
    try:
        with _folder(path) as folder:
            if (folder / INFO_FILE).is_file():
                return saved_model_problems(folder)
            return artefact_problems(folder, renamed=folder == path)
    except (ValueError, OSError) as error:
        return [first_line(error)]
    except (KeyError, TypeError, AttributeError) as error:  # JSON of another shape than ours
        return [f"It is damaged: {error!r} while its descriptions were read."]


def artefact_problems(folder, renamed=True):
    """What is wrong with an artefact's folder, as sentences.

    Args:
        folder: its path.
        renamed: complain about a folder of another name than the artefact's.
    """
    problems = manifest_problems(folder)
    name, here = read_manifest(folder)["name"], folder.resolve().name
    if renamed and name != here:
        problems.append(f"The folder is called {here} and holds the artefact {name}.")
    if problems:
        return problems
    parts = artefact.saved_model_names(folder)
    problems = [problem for part in parts for problem in operation_problems(folder / part)]
    return problems or _content_problems(folder, parts)


def saved_model_problems(folder):
    """What is wrong with a SavedModel that stands alone; without golden outputs, its own count."""
    listed = saved_model_info(folder)["sha256"]
    found = {path: digest for path, digest in digests(folder).items() if path != INFO_FILE}
    wrong = sorted(
        path for path in listed.keys() | found.keys() if listed.get(path) != found.get(path)
    )
    problems = [f"{path} is not as {INFO_FILE} lists it." for path in wrong]
    problems = problems or operation_problems(folder)
    if problems:
        return problems
    info = saved_model_info(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *info["image_shape"])).astype("uint8")
    loaded = artefact.load_saved_model(folder)
    return _saved_model_problems(folder, folder.name, loaded, pixels, loaded(pixels).numpy())


def _content_problems(folder, parts):
    """What files that are as they were made hold, and do; the graphs last, which take longest."""
    metrics, golden = artefact.read_metrics(folder), artefact.read_golden(folder)
    problems = _kind_problems(folder) or _label_problems(folder, metrics, golden)
    if card(metrics) != (folder / artefact.CARD).read_text():
        problems.append(
            f"{artefact.CARD} is not what {artefact.METRICS} says: see saved_models.card."
        )
    problems += keras_problems(artefact.load_keras_model(folder), golden)
    if problems:
        return problems
    tolerance = tolerance_of(metrics["form"])
    return [
        problem
        for part in parts
        for problem in _part_problems(folder / part, part, golden, tolerance)
    ]


def _part_problems(folder, part, golden, tolerance):
    """What is wrong with one of an artefact's SavedModels."""
    loaded = artefact.load_saved_model(folder)
    if part in artefact.OUTPUTS:
        pixels, outputs = golden["images"], golden[artefact.OUTPUTS[part]]
    else:
        pixels = resized(golden["images"], saved_model_info(folder)["image_shape"])
        outputs = loaded(pixels).numpy()
    return _saved_model_problems(folder, part, loaded, pixels, outputs, tolerance)


def _saved_model_problems(folder, name, loaded, pixels, outputs, tolerance=TOLERANCE):
    info = saved_model_info(folder)
    features = info.get("features", ())
    problems = interface_problems(name, loaded, pixels, outputs, tolerance, features)
    # Last, since it changes the variables.
    return problems or learning_problems(name, loaded, pixels, info["class_name"])


def _kind_problems(folder):
    """Whether each SavedModel says that it gives what its folder's name promises."""
    kinds = {part: saved_model_info(folder / part)["output"] for part in artefact.OUTPUTS}
    return [
        f"{part} is a SavedModel that gives {kinds[part]}, not {output}."
        for part, output in artefact.OUTPUTS.items()
        if kinds[part] != output
    ]


def _label_problems(folder, metrics, golden):
    """Every list of the classes must be the same, and as long as the logits are wide."""
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
        f"{file} names other classes than {artefact.METRICS}."
        for file, names in lists.items()
        if names != classes
    ]
    if width != len(classes):
        problems.append(f"There are {len(classes)} labels for {width} logits.")
    return problems


@contextlib.contextmanager
def _folder(path):
    """The folder that holds the files: `path`, or what a tarball unpacks to."""
    if path.is_dir():
        yield path
    elif path.is_file() and path.name.endswith(".tar.gz"):
        with unpacked(path) as folder:
            inside = [each for each in folder.iterdir() if (each / artefact.MANIFEST).is_file()]
            yield inside[0] if len(inside) == 1 else folder
    else:
        raise ValueError(f"`PATH` {path} is neither a folder nor a .tar.gz file.")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m saved_models.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="artefact, or .tar.gz of one")
    failed = False
    for path in parser.parse_args(arguments).paths:
        problems = problems_of(path)
        failed = failed or bool(problems)
        for problem in problems:
            print(f"{path}: {problem}")
        if not problems:
            print(f"{path}: all is well")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
