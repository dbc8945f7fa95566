"""Two real training steps of a page, to see that it runs before it is paid for:

python -m training.dry_run --config training/configs/recipes/mixer_in1k.py

The model, image size, augmentation, loss, optimizer and dtype are those of the page. The batch is
small, and the steps use the learning rate after warm-up, at which a run would diverge first.
Nothing is downloaded: without `data.data_dir` pictures are cut from two photographs, and where
`model.preset` is a name and not a file the weights are random. It leaves no files.
"""

from training.command_line import Arguments, dry_run_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    dry_run_options(__doc__)

import dataclasses
import gc
import math
import pathlib
import resource
import tempfile
from typing import Any

import keras
import numpy as np

import keras_mlp
from keras_mlp.typing import Array
from training.config import Config, Model
from training.data.checks import PICTURES
from training.engine.chosen import engine_module
from training.engine.optimizers import build_optimizer
from training.engine.sizes import check_sizes
from training.models.arguments import check_model
from training.program_end import clear_end
from training.terminal import set_up_terminal
from training.train import build_model, model_image_shape

STEPS = 2


def dry_run(config: Config, images: int = 2) -> dict[str, Any]:
    """Trains what a config describes for two steps.

    Args:
        config: a checked `training.config.Config`.
        images: number of images per step, a positive integer.

    Returns:
        A dict: `parameters`; `image_shape` and `classes` of the model; `loss` and `seconds` of each
        step, the first of which traces the graph; `peak_memory` of the process in bytes; `weights`,
        the number of trainable weights, and `unmoved`, the paths of those that did not change; and
        `notes`, a list of phrases on how the steps differ from the run.

    Raises:
        ValueError: the config contradicts itself or does not fit the data that it names.
        FloatingPointError: a loss, a gradient or a weight is not finite.
    """
    if images < 1:
        raise ValueError(f"`--images` must be at least 1, got {images}.")
    if config.runtime.strategy != "one_device":
        raise ValueError(
            f"`runtime.strategy` is {config.runtime.strategy!r}; a dry run uses one device: leave "
            'it at "one_device".'
        )
    check_model(config.model)
    engine_module().check_config(config)
    check_sizes(config)
    with tempfile.TemporaryDirectory() as folder:
        config, notes = _cut_down(config, images, pathlib.Path(folder))
        return {**_two_steps(config), "notes": notes}


def _cut_down(config: Config, images: int, folder: pathlib.Path) -> tuple[Config, list[str]]:
    """The config of the steps, and notes on how it differs from that of the run."""
    parts = math.gcd(images, config.optimizer.accumulate)
    small = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, batch_size=images, validation_percent=0),
        optimizer=dataclasses.replace(
            config.optimizer, accumulate=parts, warmup_epochs=0.0, warmup_steps=0
        ),
    )
    notes = [
        f"{images} image(s) a step instead of {config.data.batch_size}",
        f"at the learning rate after warm-up, {config.optimizer.learning_rate}",
    ]
    if parts != config.optimizer.accumulate:
        notes.append(f"in {parts} part(s) instead of {config.optimizer.accumulate}")
    if config.data.name in PICTURES and config.data.data_dir is None:
        from training.data.sample_pictures import write_sample_pictures  # imports TensorFlow

        write_sample_pictures(folder, config.data, STEPS * images)
        small.data.data_dir = str(folder)
        notes.append("pictures are parts of two photographs")
    if config.model.preset in {row.name for row in keras_mlp.presets()}:
        small.model = _with_random_weights(config.model, folder / "random.safetensors")
        notes.append(f"random weights in place of {config.model.preset}")
    return small, notes


def _with_random_weights(model: Model, path: pathlib.Path) -> Model:
    """The same model with a file of random weights as its preset, read and resized like it."""
    (row,) = (row for row in keras_mlp.presets() if row.name == model.preset)
    facts = row.constructor_arguments()
    architecture = keras_mlp.ARCHITECTURES[row.architecture]
    keras_mlp.save_checkpoint(architecture.from_variant(row.variant, **facts), path)
    of_its_task = ("num_classes", "image_shape")  # a fine-tuned model has its own
    facts = {name: value for name, value in facts.items() if name not in of_its_task}
    return dataclasses.replace(model, preset=str(path), arguments={**facts, **model.arguments})


def _two_steps(config: Config) -> dict[str, Any]:
    keras.utils.set_random_seed(config.runtime.seed)
    image_shape = model_image_shape(config.model)
    engine = engine_module()
    splits = engine.load_splits(config.data, image_shape)
    model = build_model(config.model, len(splits.classes), config.runtime.dtype)
    gc.collect()  # the models that its weights came from
    # As long as a run: the rate of a schedule of two steps would end at its final value.
    optimizer = build_optimizer(
        config.optimizer,
        model,
        total_steps=10**6,
        steps_per_epoch=1,
        layer_decay=config.optimizer.layer_decay,
        dtype=config.runtime.dtype,
    )
    before = [_values(weight) for weight in model.trainable_variables]
    with splits.explained():
        steps = engine.try_steps(model, optimizer, splits.train, config, STEPS)
    _check_finite(model)
    return {
        "parameters": model.count_params(),
        "image_shape": image_shape,
        "classes": len(splits.classes),
        "loss": [loss for loss, _ in steps],
        "seconds": [seconds for _, seconds in steps],
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # KiB on Linux
        "unmoved": [
            weight.path
            for weight, value in zip(model.trainable_variables, before, strict=True)
            if np.array_equal(_values(weight), value)
        ],
        "weights": len(before),
    }


def _values(weight: keras.Variable) -> Array:
    return keras.ops.convert_to_numpy(weight).copy()


def _check_finite(model: keras.Model) -> None:
    for weight in model.weights:
        if keras.backend.is_float_dtype(weight.dtype) and not np.isfinite(_values(weight)).all():
            raise FloatingPointError(f"The weight {weight.path} is not finite after {STEPS} steps.")


def report(config: Config, found: dict[str, Any]) -> str:
    """The result of `dry_run` as text."""
    size = " x ".join(map(str, found["image_shape"]))
    (first, second), (first_seconds, seconds) = found["loss"], found["seconds"]
    moved = found["weights"] - len(found["unmoved"])
    return "\n".join(
        [
            f"{config.model.architecture} {config.model.variant}, {size}, "
            f"{found['classes']} classes, {found['parameters']:,} parameters",
            f"loss {first:.4f}, then {second:.4f}",
            f"{moved} of {found['weights']} trainable weights moved, all are finite",
            *(f"  did not move: {path}" for path in found["unmoved"]),
            f"{first_seconds:.1f} s with tracing, then {seconds:.1f} s; "
            f"peak memory {found['peak_memory'] / 2**30:.1f} GiB",
            "unlike the run: " + "; ".join(found["notes"]),
        ]
    )


def main(arguments: Arguments = None) -> None:
    options = dry_run_options(__doc__, arguments)
    with clear_end():
        found = dry_run(options.config, options.images)
    print(report(options.config, found))


if __name__ == "__main__":
    set_up_terminal()
    main()
