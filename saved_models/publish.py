"""Prepares an artefact for TF Hub and Kaggle Models, and prints the commands that upload it:

    python -m saved_models.publish saved_models/mixer_fashion_mnist --output published --owner me

Nothing is uploaded then. Equal artefacts give equal files. With `--to` the artefact is uploaded to
Hugging Face instead:

    python -m saved_models.publish saved_models/mixer_fashion_mnist --to hf://USER/REPO
"""

from saved_models.command_line import OWNER, publish_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    publish_options(__doc__)

import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from keras_mlp.json_files import write_json
from keras_mlp.whole_files import check_replaceable, whole_folder
from saved_models import artefact
from saved_models.archive import pack
from saved_models.artefact import check_output
from saved_models.card import card, dataset, kind
from saved_models.manifest import manifest_problems, read_manifest
from saved_models.upload import upload
from training.program_end import clear_end

LICENCE = "Apache 2.0"  # as Kaggle calls it
FRAMEWORK = "tensorFlow2"
KAGGLE, METADATA = "kaggle", "model-metadata.json"


def publish(
    path: str | pathlib.Path, output: str | pathlib.Path, owner: str = OWNER
) -> pathlib.Path:
    """Writes `output/NAME`: tarballs in TF Hub's layout, and a folder tree for Kaggle Models.

        NAME/classifier.tar.gz, feature_vector.tar.gz, ...     saved_model.pb at the root of each
        NAME/kaggle/model-metadata.json
        NAME/kaggle/tensorFlow2/classifier/                    model-instance-metadata.json and
        NAME/kaggle/tensorFlow2/feature-vector/, ...           the SavedModel's files

    Args:
        path: folder of the artefact.
        output: folder to write in, created if it does not exist. What was published there for an
            artefact of this name is replaced, nothing else.
        owner: owner of the model on Kaggle.

    Returns:
        The path of the written folder.

    Raises:
        ValueError: the artefact's files differ from its manifest, or `output` is in it or is the
            folder that holds it.
        FileExistsError: there is something else of the artefact's name in `output`.
        OSError: the folder cannot be written.
    """
    path, output = pathlib.Path(path), pathlib.Path(output)
    problems = manifest_problems(path)
    if problems:
        raise ValueError(f"{path} is damaged: {problems[0]}")
    check_output(output)
    metrics, name = artefact.read_metrics(path, card), read_manifest(path)["name"]
    _check_target(output / name, path)
    output.mkdir(parents=True, exist_ok=True)
    with whole_folder(output / name) as folder:
        _write_json(folder / KAGGLE / METADATA, model_metadata(metrics, path, owner))
        for part in artefact.saved_model_names(path):
            tarball = folder / f"{part}.tar.gz"
            tarball.parent.mkdir(exist_ok=True)
            pack(path / part, tarball)
            variation = folder / KAGGLE / FRAMEWORK / slug(part)
            shutil.copytree(path / part, variation)
            metadata = variation_metadata(metrics, part, owner)
            _write_json(variation / "model-instance-metadata.json", metadata)
    return output / name


def _check_target(target: pathlib.Path, path: pathlib.Path) -> None:
    """Raises an error if writing `target` would replace or change what is not ours."""
    if path.resolve() in (target.resolve(), *target.resolve().parents):
        raise ValueError(
            f"`--output` {target.parent} is the folder of the artefact {path}, or in it: choose "
            "another folder."
        )
    check_replaceable(
        target,
        True,
        lambda folder: (folder / KAGGLE / METADATA).is_file(),
        "was not written by saved_models.publish",
        option="--output",
    )


def slug(name: str) -> str:
    """A name as Kaggle accepts it in URLs: without underscores or slashes."""
    return name.replace("_", "-").replace("/", "-")


def model_metadata(metrics: dict[str, Any], path: str | pathlib.Path, owner: str) -> dict[str, Any]:
    """The metadata that `kaggle models create` reads."""
    accuracy = f"{metrics['test']['accuracy']:.1%}"
    return {
        "ownerSlug": owner,
        "title": metrics["name"].replace("_", " "),
        "slug": slug(metrics["name"]),
        "subtitle": f"{kind(metrics)}, {accuracy} on {dataset(metrics).title}",
        "isPrivate": True,
        "description": (pathlib.Path(path) / artefact.CARD).read_text(encoding="utf-8"),
        "publishTime": metrics["made"]["date"][:10],
        "provenanceSources": dataset(metrics).source,
    }


def variation_metadata(metrics: dict[str, Any], part: str, owner: str) -> dict[str, Any]:
    """The metadata that `kaggle models variations create` reads."""
    handle = f"{owner}/{slug(metrics['name'])}/{FRAMEWORK}/{slug(part)}"
    return {
        "ownerSlug": owner,
        "modelSlug": slug(metrics["name"]),
        "instanceSlug": slug(part),
        "framework": FRAMEWORK,
        "overview": f"{kind(metrics)}: SavedModel {part}, {metrics['bytes'][part] / 1e6:.2f} MB.",
        "usage": (
            "```python\n"
            f'path = kagglehub.model_download("{handle}")\n'
            "model = tf.saved_model.load(path)\n"
            "outputs = model(images)  # float32 in [0, 1] or uint8, (B, H, W, channels)\n"
            "```"
        ),
        "licenseName": LICENCE,
        "fineTunable": True,
        "trainingData": [dataset(metrics).source],
        "modelInstanceType": "BaseModel",
        "baseModelInstance": "",
        "externalBaseModelUrl": "",
    }


def upload_commands(folder: str | pathlib.Path) -> list[str]:
    """The commands that upload a published folder to Kaggle, one per line.

    `kagglehub` uploads folders as they are. The `kaggle` command packs them with `--dir-mode`;
    without that option it leaves out `variables/`, which holds the weights of a SavedModel.
    """
    kaggle = pathlib.Path(folder) / KAGGLE
    lines = [f"kaggle models create -p {kaggle}"]
    for variation in sorted(each for each in (kaggle / FRAMEWORK).iterdir()):
        lines.append(f"kaggle models variations create -p {variation} --dir-mode tar")
    lines.append("# or, keeping the folder tree and adding a version to an existing model:")
    for variation in sorted(each for each in (kaggle / FRAMEWORK).iterdir()):
        metadata = json.loads(
            (variation / "model-instance-metadata.json").read_text(encoding="utf-8")
        )
        keys = ("ownerSlug", "modelSlug", "framework", "instanceSlug")
        handle = "/".join(metadata[key] for key in keys)
        lines.append(
            f"python -c \"import kagglehub; kagglehub.model_upload('{handle}', '{variation}', "
            f"'{LICENCE}', ignore_patterns=['model-instance-metadata.json'])\""
        )
    return lines


def _write_json(path: pathlib.Path, tree: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, tree)


def main(arguments: Sequence[str] | None = None) -> None:
    options = publish_options(__doc__, arguments)
    with clear_end(ImportError):
        if options.to is not None:
            print(upload(options.path, options.to))
            return
        folder = publish(options.path, options.output, options.owner)
    print(f"# {folder}")
    print("\n".join(upload_commands(folder)))


if __name__ == "__main__":
    main()
