"""What a user must know of a model before feeding it, which Keras' summary leaves out."""

import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_mlp.models.base import VisionModel

# The file in a `.keras` archive that names where the weights came from.
SOURCE_FILE = "weights_source.txt"


def one_line(model: "VisionModel") -> str:
    """What `repr` shows: name, size, image, output, parameters, source of the weights."""
    source = f", weights from {model.weights_source}" if model.weights_source else ""
    return (
        f"<{_title(model)}, name={model.name}: {_image(model)} to {_output(model)}, "
        f"{model.count_params():,} parameters{source}>"
    )


def summary_lines(model: "VisionModel") -> list[str]:
    """The lines that follow Keras' summary."""
    facts = {
        "Size": _title(model),
        "Images": _image(model),
        "Pixels": _pixels(model),
        "Output": _output(model),
        "Weights": f"from {model.weights_source}" if model.weights_source else "not from a file",
    }
    return [f" {name}: {fact}" for name, fact in facts.items()]


def variant_of(model: "VisionModel") -> str | None:
    """The name of the size of a model, whatever its image shape; None if it is not published.

    Of sizes that differ in the image shape only, the one with the model's.
    """
    shape = tuple(model.image_shape)
    fitting = {
        name: arguments
        for name, arguments in type(model).variants.items()
        if all(
            _plain(getattr(model, key)) == _plain(value)
            for key, value in arguments.items()
            if key != "image_shape"
        )
    }
    same = [name for name, arguments in fitting.items() if arguments.get("image_shape") == shape]
    return next(iter([*same, *fitting]), None)


def save_source(model: "VisionModel", folder: str) -> None:
    """Writes the source of the weights, if known, into the folder of assets of a `.keras` file."""
    if model.weights_source:
        (pathlib.Path(folder) / SOURCE_FILE).write_text(model.weights_source, encoding="utf-8")


def load_source(model: "VisionModel", folder: str | None) -> None:
    """Reads what `save_source` wrote; files from before it have none."""
    path = pathlib.Path(folder or "") / SOURCE_FILE
    if folder and path.is_file():
        model.weights_source = path.read_text(encoding="utf-8")


def _title(model: "VisionModel") -> str:
    variant = variant_of(model)
    return f"{type(model).__name__} {variant}" if variant else f"{type(model).__name__}, own size"


def _image(model: "VisionModel") -> str:
    height, width, channels = model.image_shape
    return f"{height} x {width} x {channels} pixels"


def _pixels(model: "VisionModel") -> str:
    if not model.include_preprocessing:
        return "normalised by the caller"
    mean, std = (_number(value) for value in (model.pixel_mean, model.pixel_std))
    return f"[0, 255], uint8 or float; normalised inside, scaled to [0, 1]: mean {mean}, std {std}"


def _number(value: float | tuple[float, ...]) -> str:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return ", ".join(f"{each:g}" for each in values)


def _output(model: "VisionModel") -> str:
    shape = " x ".join(str(side) for side in model.output.shape[1:])
    if not model.include_top:
        return f"features, {shape}"
    if model.classifier_activation is None:
        return f"{shape} logits"
    return f"{shape} probabilities ({model.classifier_activation})"


def _plain(value: object) -> object:
    """Lists as tuples: configs from files hold lists."""
    return tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else value
