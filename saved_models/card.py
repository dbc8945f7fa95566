"""The card of an artefact, its README.md, written from metrics.json and nothing else:

    python -m saved_models.card saved_models/mixer_fashion_mnist

It can be written again at any time; `saved_models.verify` complains where the two disagree.
"""

import argparse
import math
import pathlib
import sys

from keras_mlp.whole_files import write_text
from saved_models.artefact import CARD, CLASSIFIER, KERAS_MODEL, read_metrics
from saved_models.datasets import dataset_facts
from saved_models.golden import GOLDEN_IMAGES, TOLERANCE, tolerance_of
from saved_models.learning import unmoved
from saved_models.manifest import read_manifest, write_manifest

_USE = """\
```python
keras.saving.load_model("model.keras")            # Keras, after `import keras_mlp`; pixels
tf.saved_model.load("classifier")                 # plain TensorFlow: loaded(images)
keras_mlp.SavedModelLayer("feature_vector")       # a Keras 3 layer that trains
hub.KerasLayer("feature_vector", trainable=True)  # TF Hub; needs tf_keras (Keras 2)
```
"""

_TRAINING_ON = """\
`classifier` and `feature_vector` can be trained further: call them with `training=True`, update
`trainable_variables` and add `regularization_losses` to your loss. Nothing is frozen in them. When
you freeze layers of the Keras model and export it again, they leave `trainable_variables`, but the
flag `tf.Variable.trainable` stays True: clients that read the flag, such as
`keras.layers.TFSMLayer`, train them all the same; `keras_mlp.SavedModelLayer` and `hub.KerasLayer`
read the list.

`model.quantize("int8")` on the Keras model makes stored weights smaller; on a CPU it makes nothing
faster.
"""


def card(metrics):
    """The text of a card, Markdown.

    Args:
        metrics: the dict in an artefact's `metrics.json`.
    """
    sections = [
        f"# {metrics['name']}",
        _summary(metrics),
        _USE.rstrip(),
        _facts(metrics),
        "## What goes in, what comes out",
        _interface(metrics),
        "## Result",
        _result(metrics),
        "## Training it further",
        _TRAINING_ON.rstrip(),
        *_unmoved(metrics),
        *_form(metrics),
        "## Data and licence",
        _data(metrics),
        "## Limits",
        _limits(metrics),
        "## Files",
        _files(metrics),
    ]
    return "\n\n".join(sections) + "\n"


def write_card(folder):
    """Writes the card of an artefact from its metrics; ValueError where they cannot be read."""
    write_text(pathlib.Path(folder) / CARD, card(read_metrics(folder)))


def kind(metrics):
    """Architecture and variant, such as "MLPMixer pico/4"."""
    return f"{metrics['architecture']} {metrics['training']['config']['model']['variant']}"


def dataset(metrics):
    """The `Dataset` that the model was trained on."""
    return dataset_facts(metrics["training"]["config"]["data"]["name"])


def _summary(metrics):
    return (
        f"{kind(metrics)}, trained from random weights on {dataset(metrics).title}: it is right on "
        f"{metrics['test']['accuracy']:.2%} of {metrics['test']['examples']:,} test images. One "
        "run, one seed."
    )


def _facts(metrics):
    height, width, channels = metrics["image_shape"]
    cost = metrics["cost"][CLASSIFIER]
    rows = {
        "parameters": f"{cost['parameters']:,}",
        "multiply-accumulates per image": f"{cost['macs']:,}",
        "image": f"{height} x {width}, {channels} channel{'s' if channels > 1 else ''}",
        "classes": f"{len(metrics['classes'])}, in `labels.txt`: {', '.join(metrics['classes'])}",
        "feature vector": f"{metrics['feature_dim']} numbers",
        "`classifier/`": f"{metrics['bytes'][CLASSIFIER] / 1e6:.2f} MB",
        "`feature_vector/`": f"{metrics['bytes']['feature_vector'] / 1e6:.2f} MB",
        "`model.keras`": f"{metrics['bytes'][KERAS_MODEL] / 1e6:.2f} MB",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {row} |" for key, row in rows.items())])


def _interface(metrics):
    maps = ", ".join(f"`{name}`" for name in metrics["feature_maps"])
    classes, width = len(metrics["classes"]), metrics["feature_dim"]
    return f"""\
SavedModels take float32 images in [0, 1] or uint8 pixels in [0, 255], (B, H, W, channels), any B;
`model.keras` takes pixels in [0, 255]. They are normalised inside. `classifier` gives logits,
(B, {classes}), `feature_vector` what the last layer of the classifier sees, (B, {width}).
Signatures: `serving_default` (`images`), `serving_uint8` (`pixels`), `serving_bytes` (`encoded`:
JPEG or PNG files). `classifier` also has `features(images)` and the signature `serving_features`,
with the maps {maps}."""


def _result(metrics):
    test, run = metrics["test"], metrics["training"]
    accuracy, examples = test["accuracy"], test["examples"]
    error = math.sqrt(accuracy * (1 - accuracy) / examples)
    hardware = run["hardware"]
    cores = f"{hardware['cores']} core{'s' if hardware['cores'] > 1 else ''}"
    gpus = f", {len(hardware['gpus'])} GPU" if hardware["gpus"] else ""
    agreement = max(metrics["agreement"].values())
    lines = [
        f"Test accuracy {accuracy:.2%}, loss {test['loss']:.4f}, measured with `classifier` on all "
        f"{examples:,} images of the test split. That many images leave an error of {error:.2%} "
        "(one standard deviation); how far seeds differ was not measured for this artefact.",
        f"Outputs of the SavedModels differ from those of `model.keras` by at most {agreement:.1e} "
        f"on {GOLDEN_IMAGES} test images, which `golden.npz` holds with the outputs.",
        f"Trained on {run['train_examples']:,} images, {run['steps']:,} steps in "
        f"{run['wall_seconds'] / 60:.1f} minutes on {hardware['cpu']}, {cores}{gpus}; "
        f"TensorFlow {run['versions']['tensorflow']}, Keras {run['versions']['keras']}; "
        f"{run['date'][:10]}, commit {run['commit']}:",
        f"```\n{run['command']}\n```",
        f"The artefact was made on {metrics['made']['date'][:10]}, commit "
        f"{metrics['made']['commit']}:",
        f"```\n{metrics['made']['command']}\n```",
        *_sizes(metrics),
    ]
    return "\n\n".join(lines)


def _sizes(metrics):
    if not metrics["sizes"]:
        return []
    names = ", ".join(f"`{name}`" for name in metrics["sizes"])
    return [
        f"{names}: classifiers for other image sizes, with the same weights made to fit by "
        "`keras_mlp.with_image_shape` and not trained there; their accuracy was not measured. They "
        f"differ from the Keras model by at most {max(metrics['sizes'].values()):.1e}."
    ]


def _unmoved(metrics):
    ends, reason = unmoved(metrics["architecture"])
    if not ends:
        return []
    names = " and ".join(f"`{end}`" for end in ends)
    return [
        f"Weights whose names end in {names} have no gradient but rounding: each {reason}. "
        "Training need not move them."
    ]


def _form(metrics):
    if metrics["form"] is None:
        return []
    if metrics["form"] == "training":
        return ["The SavedModels are in the form that trains, as `model.keras`."]
    before, after = (metrics["cost"][each] for each in (KERAS_MODEL, CLASSIFIER))
    return [
        "The SavedModels are in the deployed form, for less work at inference: convolutions and "
        f"BatchNorms are folded into matrices, {after['macs']:,} multiply-accumulates in place of "
        f"{before['macs']:,}, {after['parameters']:,} parameters in place of "
        f"{before['parameters']:,} and {before['batch_norm_statistics']:,} BatchNorm statistics. "
        "It computes the same at inference and is another network under training, so `model.keras` "
        "is in the form that trains: continue from that, and deploy what comes out with "
        "`keras_mlp.deploy`."
    ]


def _data(metrics):
    data, name = dataset(metrics), metrics["training"]["config"]["data"]["name"]
    share = metrics["training"]["config"]["data"]["validation_percent"]
    held_out = f" {share}% of the train split were held out of training." if share else ""
    return (
        f"{data.title} (`{name}` in TFDS): {data.images}. Source: {data.source}. Licence of the "
        f"data: {data.licence}.{held_out} Code and weights: Apache-2.0, as this repository."
    )


def _limits(metrics):
    height, width, channels = metrics["image_shape"]
    color = "greyscale pictures" if channels == 1 else "pictures"
    lines = [
        f"It knows small {color} like those of {dataset(metrics).title} only: no photographs, no "
        "other framing, and it names one of its classes whatever is on the picture.",
        f"Other image sizes than {height} x {width} need resizing first, or a SavedModel of their "
        "own (`keras_mlp.with_image_shape`).",
        "One seed. The test split was read when the run ended and once more to measure the "
        "SavedModel.",
        "Softmax of the logits is not calibrated: nobody checked that 90% means 90%.",
        "No study of bias or of robustness was made. It is for teaching, tests and as a start for "
        "fine-tuning.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _files(metrics):
    rows = [f"| `{part}` | `{digest}` |" for part, digest in metrics["sha256"].items()]
    tolerance = tolerance_of(metrics["form"])
    why = ": folding adds up in another order" if tolerance > TOLERANCE else ""
    return "\n".join(
        [
            "SHA-256 of a file, or of the sorted lines `sha256  path` of a folder's files;"
            " `manifest.json` has every file:",
            "",
            "| | SHA-256 |",
            "|---|---|",
            *rows,
            "",
            f"`python -m saved_models.verify saved_models/{metrics['name']}` checks them, the "
            f"stored outputs (to {TOLERANCE:.0e} of `model.keras`, {tolerance:.0e} of the "
            f"SavedModels{why}), every way to call the SavedModels, and that a training step moves "
            "their weights.",
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m saved_models.card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="folder of an artefact")
    path = parser.parse_args(arguments).path
    try:
        rewrite(path)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(pathlib.Path(path) / CARD)


def rewrite(folder):
    """Writes the card of an artefact again, and the manifest that lists it."""
    name = read_manifest(folder)["name"]
    write_card(folder)
    write_manifest(folder, name)


if __name__ == "__main__":
    main()
