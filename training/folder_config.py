"""The config that `training.finetune --folder` trains with, unless `--set` says otherwise."""

import dataclasses
from collections.abc import Sequence

from training.config import Augment, Config, Data, Model, Optimizer, Runtime, check_config
from training.data.checks import OWN_PICTURES
from training.overrides import apply_override

# Without a source. Patches of 4 of 64 pixels cost what patches of 2 of 32 cost.
MODEL = Model(architecture="RepMLPNet", variant="nano/4")
SIDE, PATCH = 64, 4
# Pictures that training sees in all, over its epochs.
_SEEN = {"source": 20_000, "scratch": 40_000}
_EPOCHS = (5, 100)  # fewest and most
_POINTS = 20  # of the learning curve


@dataclasses.dataclass(frozen=True)
class Task:
    """What the recipe depends on.

    Attributes:
        folder: path of the pictures.
        train: number of training pictures.
        has_validation: whether there are validation pictures.
        image_shape: (H, W, C) of the model.
        model: the section of the config, without `image_shape`.
    """

    folder: str
    train: int
    has_validation: bool
    image_shape: tuple[int, int, int]
    model: Model


def folder_config(task: Task, overrides: Sequence[str] = ()) -> Config:
    """The recipe for a task, with `key=value` overrides applied; a checked config.

    AdamW with a cosine, smaller steps for the layers near the picture of a source, smoothed labels,
    random parts of the pictures, mirrored if they are in colour (grey ones are often characters).
    The number of epochs makes up for few pictures.

    Raises:
        ValueError: a key is unknown, or a value has the wrong type or is out of range.
    """
    starts = bool(task.model.source)
    low, high = _EPOCHS
    epochs = min(max(round(_SEEN["source" if starts else "scratch"] / task.train), low), high)
    in_colour = task.image_shape[-1] == 3
    arguments = {**task.model.arguments, "image_shape": task.image_shape}
    if not starts:
        arguments["patch_size"] = PATCH
    config = Config(
        epochs=epochs,
        model=dataclasses.replace(task.model, arguments=arguments),
        data=Data(
            name=OWN_PICTURES,
            data_dir=task.folder,
            validation_split="validation" if task.has_validation else "",
            validation_percent=0,
            batch_size=32 if task.train >= 256 else 16 if task.train >= 64 else 8,
        ),
        augment=Augment(crop=0.5 if in_colour else 0.7, flip=in_colour),
        optimizer=Optimizer(
            learning_rate=1e-3,
            warmup_epochs=round(epochs / 10, 1),
            weight_decay=0.05,
            label_smoothing=0.1,
            layer_decay=0.75 if starts else 1.0,
        ),
        runtime=Runtime(steps_per_loop=10),
    )
    for override in overrides:
        apply_override(config, override)
    keys = [each.partition("=")[0].strip() for each in overrides]
    if "runtime.epochs_per_checkpoint" not in keys:
        config.runtime.epochs_per_checkpoint = max(1, round(config.epochs / _POINTS))
    return check_config(config)
