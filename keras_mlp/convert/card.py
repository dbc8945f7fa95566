"""The card of a converted model: what it is, where it comes from and what was checked."""

from typing import Any

import keras

from keras_mlp.models import VisionModel
from keras_mlp.typing import Array
from keras_mlp.version import __version__
from keras_mlp.weights import Preset

_USE = """\
```python
model = keras.saving.load_model("model.keras")    # after `import keras_mlp`
model = tf.saved_model.load("saved_model")        # without keras_mlp
```
"""


def card(
    model: VisionModel,
    *,
    title: str,
    preset: Preset | None,
    source_name: str,
    source_sha256: str,
    difference: float | None,
    reference: str | None,
    golden: Array,
) -> str:
    """Returns the text of a card in Markdown.

    Args:
        model: the converted model.
        title: title of the card.
        preset: the preset; None for weights that are not in the catalogue.
        source_name: name of the file that was converted.
        source_sha256: SHA-256 of that file.
        difference: largest absolute difference from the reference's logits; None without a
            reference.
        reference: name of the reference file; None without a reference.
        golden: outputs (B, K) for the images in `golden.npz`.
    """
    facts = {**_model_facts(model), **_preset_facts(preset)}
    facts["source file"] = f"`{source_name}`, SHA-256 `{source_sha256}`"
    rows = [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"{_subject(model, preset)}, converted from its published file by keras_mlp "
            f"{__version__} with Keras {keras.__version__}.",
            "",
            _USE,
            "| | |",
            "|---|---|",
            *rows,
            "",
            "## Check",
            "",
            _check(difference, reference),
            "",
            f"`golden.npz` holds {len(golden)} random images and this model's outputs for them; "
            f"the first begins with {', '.join(f'{each:.6g}' for each in golden[0].flat[:4])}.",
            "",
        ]
    )


def _subject(model: VisionModel, preset: Preset | None) -> str:
    kind = type(model).__name__
    return f"{kind} weights" if preset is None else f"{kind} {preset.variant}, `{preset.name}`"


def _model_facts(model: VisionModel) -> dict[str, Any]:
    facts = {
        "architecture": type(model).__name__,
        "parameters": f"{model.count_params():,}",
        "image shape": " x ".join(map(str, model.image_shape)),
        "classes": model.num_classes if model.include_top else "none: features",
    }
    if model.include_preprocessing:
        facts["`model.keras` takes"] = "pixels in [0, 255], uint8 or float"
        facts["`saved_model` takes"] = "uint8 in [0, 255] or float32 in [0, 1]"
        facts["normalised inside with"] = (
            f"mean {model.pixel_mean}, deviation {model.pixel_std}, of pixels in [0, 1]"
        )
    else:
        facts["both take"] = "float32 images that are already normalised"
    if hasattr(model, "gelu_approximate"):
        facts["GELU"] = "tanh approximation" if model.gelu_approximate else "exact"
    return facts


def _preset_facts(preset: Preset | None) -> dict[str, Any]:
    if preset is None:
        return {"licence": "that of the source, which is not known here"}
    facts = {
        "central crop": preset.crop,
        "interpolation": preset.interpolation,
        "licence": preset.licence or "not published",
        "published top-1": preset.top1 and f"{preset.top1} % ({preset.top1_by})",
        "source": preset.url or preset.page,
        "described at": preset.page,
        "note": preset.note,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _check(difference: float | None, reference: str | None) -> str:
    if difference is None:
        return (
            "No reference outputs were given, so the logits were not compared with those of the "
            "authors' code."
        )
    return (
        f"On the images of `{reference}` the logits differ from the reference's by at most "
        f"{difference:.3e}."
    )
