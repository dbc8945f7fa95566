"""The card of an artefact, its README.md, written from metrics.json alone:

    python -m saved_models.card saved_models/mixer_fashion_mnist

It can be rewritten at any time; `saved_models.verify` reports any difference between the two.
"""

from saved_models.command_line import card_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    card_options(__doc__)

import html
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from keras_mlp.golden import GOLDEN_IMAGES
from keras_mlp.whole_files import write_text
from saved_models.artefact import CARD, CLASSIFIER, KERAS_MODEL, read_metrics
from saved_models.datasets import Dataset, dataset_facts, is_own
from saved_models.golden import TOLERANCE, tolerance_of
from saved_models.learning import unmoved
from saved_models.manifest import manifest_problems, name_problems, replace_in_manifest
from training.engine.explosion import described
from training.program_end import clear_end
from training.reports.printed import shown_number

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
`trainable_variables` and add `regularization_losses` to your loss. Nothing in them is frozen. If
you freeze layers of the Keras model and export it again, their weights leave `trainable_variables`,
but the flag `tf.Variable.trainable` stays True: clients that read the flag, such as
`keras.layers.TFSMLayer`, train them anyway; `keras_mlp.SavedModelLayer` and `hub.KerasLayer` read
the list.

`model.quantize("int8")` on the Keras model makes the stored weights smaller; on a CPU it does not
make inference faster.
"""


def card(metrics: dict[str, Any]) -> str:
    """Writes the text of a card.

    Args:
        metrics: the dict in an artefact's `metrics.json`.

    Returns:
        Markdown text.
    """
    sections = [
        f"# {metrics['name']}",
        _summary(metrics),
        _USE.rstrip(),
        _facts(metrics),
        "## Inputs and outputs",
        _interface(metrics),
        "## Result",
        _result(metrics),
        "## Further training",
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


def write_card(folder: str | pathlib.Path) -> None:
    """Writes the card of an artefact from its metrics; ValueError if they cannot be read."""
    write_text(pathlib.Path(folder) / CARD, card(read_metrics(folder, card)))


def escaped(text: str) -> str:
    """Text that neither Markdown nor HTML reads as markup: for what users may choose freely."""
    # Entities for what HTML reads, backslashes for what Markdown reads.
    return re.sub(r"[\\`*_{}\[\]|~#!$@:.=^\"]", r"\\\g<0>", html.escape(text, quote=False))


def kind(metrics: dict[str, Any]) -> str:
    """Architecture and variant, such as "MLPMixer pico/4"."""
    return f"{metrics['architecture']} {metrics['training']['config']['model']['variant']}"


def dataset(metrics: dict[str, Any]) -> Dataset:
    """The `Dataset` that the model was trained on."""
    return dataset_facts(metrics["training"]["config"]["data"]["name"])


def _summary(metrics: dict[str, Any]) -> str:
    return (
        f"{kind(metrics)}, {_origin(metrics)} on {dataset(metrics).title}: test accuracy "
        f"{metrics['test']['accuracy']:.2%} on {metrics['test']['examples']:,} images. One run, "
        "one seed."
    )


def _origin(metrics: dict[str, Any]) -> str:
    """What the training started from."""
    model = metrics["training"]["config"]["model"]
    source = model.get("source") or model.get("preset")
    if not source or model.get("start") == "from scratch":
        return "trained from random weights"
    if model.get("start") == "frozen":
        return f"a new classifier on the frozen layers of `{source}`, trained"
    return f"fine-tuned from `{source}`"


def _facts(metrics: dict[str, Any]) -> str:
    height, width, channels = metrics["image_shape"]
    cost = metrics["cost"][CLASSIFIER]
    rows = {
        "parameters": f"{cost['parameters']:,}",
        "multiply-accumulates per image": f"{cost['macs']:,}",
        "image": f"{height} x {width}, {channels} channel{'s' if channels > 1 else ''}",
        "classes": f"{len(metrics['classes'])}, in `labels.txt`: {_names(metrics['classes'])}",
        "feature vector": f"{metrics['feature_dim']} numbers",
        "`classifier/`": f"{metrics['bytes'][CLASSIFIER] / 1e6:.2f} MB",
        "`feature_vector/`": f"{metrics['bytes']['feature_vector'] / 1e6:.2f} MB",
        "`model.keras`": f"{metrics['bytes'][KERAS_MODEL] / 1e6:.2f} MB",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {row} |" for key, row in rows.items())])


def _names(classes: Sequence[str]) -> str:
    return ", ".join(" ".join(escaped(name).split()) for name in classes)


def _interface(metrics: dict[str, Any]) -> str:
    maps = ", ".join(f"`{name}`" for name in metrics["feature_maps"])
    classes, width = len(metrics["classes"]), metrics["feature_dim"]
    return f"""\
SavedModels take float32 images in [0, 1] or uint8 pixels in [0, 255], (B, H, W, channels), any B;
`model.keras` takes pixels in [0, 255]. The models normalise them. `classifier` gives logits,
(B, {classes}); `feature_vector` gives the input of the classification head, (B, {width}).
Signatures: `serving_default` (`images`), `serving_uint8` (`pixels`), `serving_bytes` (`encoded`:
JPEG or PNG files). `classifier` also has `features(images)` and the signature `serving_features`,
with the maps {maps}.{_size_signatures(metrics)}"""


def curve(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Accuracy at each size that the SavedModels take; empty where they take one."""
    return metrics.get("curve", [])  # which artefacts of before lack


def _size_signatures(metrics: dict[str, Any]) -> str:
    if not curve(metrics):
        return ""
    own = metrics["image_shape"][:2]
    names = [f"{each['size'][0]}x{each['size'][1]}" for each in curve(metrics)]
    example = next(
        name for name, each in zip(names, curve(metrics), strict=True) if each["size"] != own
    )
    return (
        f" One set of\nvariables serves images of {', '.join(names)} pixels: the SavedModels take "
        "each, and have\nsignatures for it, such as "
        f"`serving_uint8_{example}`. Files are resized to {own[0]}x{own[1]}."
    )


def _result(metrics: dict[str, Any]) -> str:
    test, run = metrics["test"], metrics["training"]
    accuracy, examples = test["accuracy"], test["examples"]
    error = math.sqrt(accuracy * (1 - accuracy) / examples)
    loss = shown_number(test["loss"], ".4f")
    hardware = run["hardware"]
    cores = f"{hardware['cores']} core{'s' if hardware['cores'] > 1 else ''}"
    gpus = f", {len(hardware['gpus'])} GPU" if hardware["gpus"] else ""
    agreement = max(metrics["agreement"].values())
    lines = [
        f"Test accuracy {accuracy:.2%}, loss {loss}, measured with `classifier` on all "
        f"{examples:,} images of the test split. The standard error for that many images is "
        f"{error:.2%}; the spread over seeds was not measured for this artefact.",
        *_divergence(run),
        f"Outputs of the SavedModels differ from those of `model.keras` by at most {agreement:.1e} "
        f"on {GOLDEN_IMAGES} test images, which `golden.npz` stores with their outputs.",
        f"Trained on {run['train_examples']:,} images, {run['steps']:,} steps in "
        f"{run['wall_seconds'] / 60:.1f} minutes on {hardware['cpu']}, {cores}{gpus}; "
        f"{_backend(run['versions'])}, Keras {run['versions']['keras']}; "
        f"{run['date'][:10]}, {_software(run)}:",
        _code(run["command"]),
        f"The artefact was made on {metrics['made']['date'][:10]}, {_software(metrics['made'])}:",
        _code(metrics["made"]["command"]),
        *_curve(metrics),
        *_sizes(metrics),
    ]
    return "\n\n".join(lines)


def _divergence(run: dict[str, Any]) -> list[str]:
    diverged = run.get("diverged")
    return [described(diverged)] if diverged else []


def _curve(metrics: dict[str, Any]) -> list[str]:
    """Accuracy at each size that the model was trained over, as a table."""
    if not curve(metrics):
        return []
    rows = [
        f"| {each['size'][0]} x {each['size'][1]} | {each['accuracy']:.2%} |"
        for each in curve(metrics)
    ]
    return [
        "Trained over several image sizes with one set of weights (`model.at`). Test accuracy at "
        "each, with `classifier` on the same images, resized:",
        "\n".join(["| size | test accuracy |", "|---|---:|", *rows]),
        "At these sizes the outputs of `classifier` differ from those of `model.at(size)` by at "
        f"most {max(each['agreement'] for each in curve(metrics)):.1e}.",
    ]


def _code(text: str) -> str:
    """A block of code, whose fence is longer than any run of backticks in the text."""
    runs = re.findall("`+", text)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return f"{fence}\n{text}\n{fence}"


def _software(facts: dict[str, Any]) -> str:
    """Which code ran: a commit, or the installed package where there is no checkout."""
    return f"commit {facts['commit']}" if facts["commit"] else "the installed package"


def _sizes(metrics: dict[str, Any]) -> list[str]:
    if not metrics["sizes"]:
        return []
    names = ", ".join(f"`{name}`" for name in metrics["sizes"])
    return [
        f"{names}: classifiers for other image sizes, with the same weights resized by "
        "`keras_mlp.with_image_shape` and not trained further; their accuracy was not measured. "
        "Their outputs differ from the Keras model's by at most "
        f"{max(metrics['sizes'].values()):.1e}."
    ]


def _backend(versions: dict[str, str]) -> str:
    """What a run computed with."""
    names = {"tensorflow": "TensorFlow", "jax": "JAX"}
    return next(f"{names[name]} {versions[name]}" for name in names if name in versions)


def _unmoved(metrics: dict[str, Any]) -> list[str]:
    ends, reason = unmoved(metrics["architecture"])
    if not ends:
        return []
    names = " and ".join(f"`{end}`" for end in ends)
    return [
        f"Weights whose names end in {names} have a zero gradient, up to rounding: each {reason}. "
        "Training need not move them."
    ]


def _form(metrics: dict[str, Any]) -> list[str]:
    if metrics["form"] is None:
        return []
    if metrics["form"] == "training":
        return ["The SavedModels are in the training form, like `model.keras`."]
    before, after = (metrics["cost"][each] for each in (KERAS_MODEL, CLASSIFIER))
    return [
        "The SavedModels are in the deployed form, for less work at inference: convolutions and "
        f"BatchNorms are folded into matrices, with {after['macs']:,} multiply-accumulates instead "
        f"of {before['macs']:,}, and {after['parameters']:,} parameters instead of "
        f"{before['parameters']:,} and {before['batch_norm_statistics']:,} BatchNorm statistics. "
        "The deployed form computes the same at inference but trains differently, so `model.keras` "
        "is in the training form: continue from it, and deploy the result with `keras_mlp.deploy`."
    ]


def _data(metrics: dict[str, Any]) -> str:
    data, name = dataset(metrics), metrics["training"]["config"]["data"]["name"]
    share = metrics["training"]["config"]["data"]["validation_percent"]
    where = f'`data.name="{name}"`' if is_own(name) else f"`{name}` in TFDS"
    held_out = f" {share}% of the train split was held out of training." if share else ""
    return (
        f"{data.title} ({where}): {data.images}. Source: {data.source}. Licence of the "
        f"data: {data.licence}.{held_out} Code and weights: Apache-2.0, like this repository."
    )


def _limits(metrics: dict[str, Any]) -> str:
    height, width, channels = metrics["image_shape"]
    sizes = f"{height} x {width}"
    if curve(metrics):
        sizes = "those of the table"
    color = "greyscale pictures" if channels == 1 else "pictures"
    lines = [
        f"It knows only small {color} like those of {dataset(metrics).title}, not photographs or "
        "other framings, and it names one of its classes whatever the picture shows.",
        f"Images of another size than {sizes} must be resized first, or need a "
        "SavedModel of their own (`keras_mlp.with_image_shape`).",
        "One seed. The test split was read when the run ended and once more to measure the "
        "SavedModel.",
        "The calibration of the softmax was not measured: 90% confidence need not mean 90% "
        "accuracy.",
        "Bias and robustness were not studied. The model is meant for teaching, for tests and as a "
        "starting point for fine-tuning.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _files(metrics: dict[str, Any]) -> str:
    rows = [f"| `{part}` | `{digest}` |" for part, digest in metrics["sha256"].items()]
    tolerance = tolerance_of(metrics["form"])
    why = ", since folding changes the order of sums" if tolerance > TOLERANCE else ""
    return "\n".join(
        [
            "SHA-256 of a file, or of the sorted lines `sha256  path` of a folder's files;"
            " `manifest.json` lists every file:",
            "",
            "| | SHA-256 |",
            "|---|---|",
            *rows,
            "",
            f"`python -m saved_models.verify saved_models/{metrics['name']}` checks them, the "
            f"stored outputs (within {TOLERANCE:.0e} for `model.keras` and {tolerance:.0e} for the "
            f"SavedModels{why}), every way to call the SavedModels, and that a training step moves "
            "their weights.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    path = card_options(__doc__, arguments).path
    with clear_end():
        rewrite(path)
    print(pathlib.Path(path) / CARD)


def rewrite(folder: str | pathlib.Path) -> None:
    """Rewrites the card of an artefact and its entry in the manifest.

    Raises:
        ValueError: any other file differs from the manifest, or the metrics are damaged. Nothing is
            written then: a new manifest would hide the damage from `saved_models.verify`.
    """
    problems = manifest_problems(folder, ignored=(CARD,)) + name_problems(folder)
    if problems:
        raise ValueError(
            f"{folder} is damaged: {problems[0]} Restore its files, or make the artefact again."
        )
    write_card(folder)
    replace_in_manifest(folder, CARD)


if __name__ == "__main__":
    main()
