"""Lays an artefact out for TF Hub and for Kaggle Models, and prints the commands that upload it:

    python -m saved_models.publish saved_models/mixer_fashion_mnist --output published --owner me

Nothing is uploaded here. Equal artefacts give equal files.
"""

import argparse
import json
import pathlib
import shutil
import sys

from keras_mlp.whole_files import whole_folder
from saved_models import artefact
from saved_models.archive import pack
from saved_models.card import dataset, kind
from saved_models.manifest import manifest_problems, read_manifest

# The word of the kaggle command's own template, which it refuses to upload.
OWNER = "INSERT_OWNER_SLUG_HERE"
LICENCE = "Apache 2.0"  # as Kaggle calls it
FRAMEWORK = "tensorFlow2"
KAGGLE = "kaggle"


def publish(path, output, owner=OWNER):
    """Writes `output/NAME`: tarballs as TF Hub serves them, and a folder tree for Kaggle Models.

        NAME/classifier.tar.gz, feature_vector.tar.gz, ...     saved_model.pb at the root of each
        NAME/kaggle/model-metadata.json
        NAME/kaggle/tensorFlow2/classifier/                    model-instance-metadata.json and
        NAME/kaggle/tensorFlow2/feature-vector/, ...           the SavedModel's files

    Args:
        path: folder of the artefact.
        output: folder to write in; it must exist. What is there of the same name is replaced.
        owner: of the model at Kaggle.

    Returns:
        Path of the folder.

    Raises:
        ValueError: the artefact's files are not those that were made.
        OSError: the folder cannot be written.
    """
    path, output = pathlib.Path(path), pathlib.Path(output)
    problems = manifest_problems(path)
    if problems:
        raise ValueError(f"{path} is damaged: {problems[0]}")
    if not output.is_dir():
        raise ValueError(f"`--output` {output} is no folder.")
    metrics, name = artefact.read_metrics(path), read_manifest(path)["name"]
    with whole_folder(output / name) as folder:
        _write_json(folder / KAGGLE / "model-metadata.json", model_metadata(metrics, path, owner))
        for part in artefact.saved_model_names(path):
            tarball = folder / f"{part}.tar.gz"
            tarball.parent.mkdir(exist_ok=True)
            pack(path / part, tarball)
            variation = folder / KAGGLE / FRAMEWORK / slug(part)
            shutil.copytree(path / part, variation)
            metadata = variation_metadata(metrics, part, owner)
            _write_json(variation / "model-instance-metadata.json", metadata)
    return output / name


def slug(name):
    """A name as Kaggle takes it in addresses: no underscore, no slash."""
    return name.replace("_", "-").replace("/", "-")


def model_metadata(metrics, path, owner):
    """What `kaggle models create` reads."""
    accuracy = f"{metrics['test']['accuracy']:.1%}"
    return {
        "ownerSlug": owner,
        "title": metrics["name"].replace("_", " "),
        "slug": slug(metrics["name"]),
        "subtitle": f"{kind(metrics)}, {accuracy} on {dataset(metrics).title}",
        "isPrivate": True,
        "description": (pathlib.Path(path) / artefact.CARD).read_text(),
        "publishTime": metrics["made"]["date"][:10],
        "provenanceSources": dataset(metrics).source,
    }


def variation_metadata(metrics, part, owner):
    """What `kaggle models variations create` reads."""
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


def upload_commands(folder):
    """The commands that upload a published folder to Kaggle, one a line.

    `kagglehub` uploads folders as they are. The `kaggle` command packs them (`--dir-mode`), and
    without that option leaves `variables/` out, without which a SavedModel has no weights.
    """
    kaggle = pathlib.Path(folder) / KAGGLE
    lines = [f"kaggle models create -p {kaggle}"]
    for variation in sorted(each for each in (kaggle / FRAMEWORK).iterdir()):
        lines.append(f"kaggle models variations create -p {variation} --dir-mode tar")
    lines.append("# or, with the folder tree kept, which also adds a version to what is there:")
    for variation in sorted(each for each in (kaggle / FRAMEWORK).iterdir()):
        metadata = json.loads((variation / "model-instance-metadata.json").read_text())
        keys = ("ownerSlug", "modelSlug", "framework", "instanceSlug")
        handle = "/".join(metadata[key] for key in keys)
        lines.append(
            f"python -c \"import kagglehub; kagglehub.model_upload('{handle}', '{variation}', "
            f"'{LICENCE}', ignore_patterns=['model-instance-metadata.json'])\""
        )
    return lines


def _write_json(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree, indent=2) + "\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m saved_models.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="folder of an artefact")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write in")
    parser.add_argument("--owner", default=OWNER, metavar="SLUG", help="user or team at Kaggle")
    options = parser.parse_args(arguments)
    try:
        folder = publish(**vars(options))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"# {folder}")
    print("\n".join(upload_commands(folder)))


if __name__ == "__main__":
    main()
