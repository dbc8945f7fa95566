"""Trains a model: `python -m training.train --config training/configs/digits.py --workdir DIR`.

A run that was stopped, by whatever means, goes on from its newest checkpoint when the same command
is given again, and ends where it would have ended.
"""

from training.command_line import train_options

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    train_options(__doc__)

import json
import logging
import pathlib
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from keras_mlp.errors import first_line
from keras_mlp.json_files import read_json
from keras_mlp.whole_files import whole_file, write_text
from training.data.pipeline import load_splits
from training.engine.interruption import RESUMABLE, Interrupted, leave_resumable
from training.engine.optimizers import build_optimizer
from training.engine.stored_config import as_stored
from training.engine.tensorflow.averages import Averages
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.engine.tensorflow.evaluator import evaluate
from training.engine.tensorflow.loop import run_steps
from training.engine.tensorflow.strategies import (
    build_strategy,
    is_chief,
    synchronize_batch_norm,
    total,
)
from training.engine.tensorflow.trainer import Trainer
from training.engine.workdir import Workdir
from training.evaluate import evaluate_model, store_golden, write_evaluation
from training.models.arguments import check_model
from training.report import METRICS_WAY_OUT, write_report
from training.reports.pictures import draw_predictions
from training.reports.provenance import provenance


def train(config, workdir, *, accept_changes=False):
    """Trains what a config describes, or goes on with it, and judges it on the test split.

    Writes into the folder: `model.keras`, `saved_model/` (to logits) and `features/` (to what the
    classifier sees), `metrics.json`, `history.jsonl` (the learning curve), `report.html` (all of it
    to look at), `evaluation.json`, `confusion.png` and `reliability.png` (of the test split),
    `first_batch.png` (what the model sees in training), `predictions.png`, `checkpoints/`,
    `tensorboard/` and `orbit.log`.

    Args:
        config: a checked `training.config.Config`.
        workdir: path of the run's folder; on several hosts the same one for all.
        accept_changes: go on in a folder that was made with another config.

    Returns:
        The dict in `metrics.json`.

    Raises:
        ValueError: the config does not fit the data, the devices or the folder.
        FloatingPointError: the loss is no longer finite; the last checkpoint is kept.
        Interrupted: SIGTERM came; a checkpoint was saved.
        OSError: a file cannot be written; the last whole checkpoint is kept.
    """
    metrics_file = pathlib.Path(workdir) / "metrics.json"
    if metrics_file.exists():
        Workdir(workdir, config)
        print(f"{workdir} holds this run, finished.")
        return read_json(metrics_file, METRICS_WAY_OUT, _headline)

    check_model(config.model)
    strategy = build_strategy(config.runtime)  # before anything else uses TensorFlow
    folder = Workdir(workdir, config, chief=is_chief(strategy), accept_changes=accept_changes)
    _check_batch(config, strategy.num_replicas_in_sync)
    keras.utils.set_random_seed(config.runtime.seed)
    splits = load_splits(config.data, model_image_shape(config.model))
    steps_per_epoch = splits.train.size / config.data.batch_size
    total_steps = max(1, round(config.epochs * steps_per_epoch))
    with strategy.scope():
        model = build_model(config.model, len(splits.classes), config.runtime.dtype)
        synchronize_batch_norm(model, strategy.num_replicas_in_sync > 1)
        optimizer = build_optimizer(
            config.optimizer,
            model,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            layer_decay=config.optimizer.layer_decay,
            dtype=config.runtime.dtype,
        )
        averages = Averages(model, config.optimizer.ema) if config.optimizer.ema else None
        trainer = Trainer(model, optimizer, config, averages)
        manager = CheckpointManager(
            model,
            optimizer,
            folder.checkpoints,
            keep=config.runtime.keep_checkpoints,
            chief=folder.chief,
            state=trainer.state,
        )
    with splits.ledger.explained():
        seconds = run_steps(config, folder, splits, trainer, manager, total_steps)

    with strategy.scope(), splits.ledger.explained():
        if averages:
            averages.take()
        test = evaluate(model, splits.test, config.data.batch_size)
    synchronize_batch_norm(model, False)
    metrics = {
        "test": test,
        "parameters": model.count_params(),
        "classes": splits.classes,
        "steps": total_steps,
        "train_examples": splits.train.size,
        "corrupt_pictures": len(splits.ledger.names),
        "replicas": strategy.num_replicas_in_sync,
        "wall_seconds": round(seconds, 1),
        "config": as_stored(config),
        **provenance(),
    }
    if folder.chief:
        _write_results(config, folder, model, splits.test, metrics)
    total(strategy, 0.0)  # no worker leaves before the chief is done: it would be taken for dead
    return metrics


def _check_batch(config, replicas):
    parts = replicas * config.optimizer.accumulate
    if config.data.batch_size % parts:
        raise ValueError(
            f"`data.batch_size`={config.data.batch_size} must be a multiple of {parts}: "
            f"{replicas} replica(s) times `optimizer.accumulate`={config.optimizer.accumulate}."
        )


def _write_results(config, folder, model, test, metrics):
    """Model, SavedModels, then the metrics that say that the run is finished, and its report."""
    with whole_file(folder.path / "model.keras") as path:
        model.save(path)
    if config.runtime.export:
        for name, output in (("saved_model", "logits"), ("features", "features")):
            keras_mlp.export_saved_model(model, folder.path / name, output=output, overwrite=True)
        store_golden(model, test, folder.path / "saved_model")
    judged = evaluate_model(model, test, metrics["classes"], config.data.batch_size)
    data = f"{config.data.name}, test"
    write_evaluation({"source": "model.keras", "data": data, **judged}, folder.path)
    _draw_predictions(folder.path / "predictions.png", model, test, metrics["classes"])
    write_text(folder.path / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    write_report(folder.path)


def _draw_predictions(path, model, test, classes):
    """A picture of the first test images and what the model says of them."""
    examples = test.examples.filter(lambda image, label: label >= 0).batch(32).take(1)
    for images, labels in examples.as_numpy_iterator():
        logits = keras.ops.convert_to_numpy(model(images, training=False))
        draw_predictions(path, images, labels, logits, classes)


def build_model(model, num_classes, dtype):
    """The Keras model that a config names, with random weights or those of a preset."""
    architecture = keras_mlp.ARCHITECTURES[model.architecture]
    arguments = {**model.arguments, "num_classes": num_classes, "dtype": dtype}
    if model.preset:
        built = _from_preset(architecture, model, arguments)
    else:
        built = architecture.from_variant(model.variant, **arguments)
    bias = built.get_layer("head").bias
    if model.head_bias and not np.any(bias):
        bias.assign(np.full(bias.shape, model.head_bias, "float32"))
    return built


def _from_preset(architecture, model, arguments):
    """With published weights, made to fit the image size as the config says."""
    image_shape = None
    if model.resize_method != "interpolate":  # which `from_preset` does by itself
        image_shape = arguments.pop("image_shape", None)
    if model.preset in {row.name for row in keras_mlp.presets()}:
        built = architecture.from_preset(model.preset, **arguments)
    else:
        path = pathlib.Path(model.preset)
        built = architecture.from_preset(path, variant=model.variant, **arguments)
    if image_shape is None:
        return built
    return keras_mlp.with_image_shape(built, image_shape, method=model.resize_method)


def model_image_shape(model):
    """(H, W, C) of the model that a config names, before it is built."""
    check_model(model)
    variant = keras_mlp.ARCHITECTURES[model.architecture].variants[model.variant]
    arguments = {"image_shape": (224, 224, 3), **variant, **model.arguments}
    return tuple(arguments["image_shape"])


def _headline(metrics: dict[str, Any]) -> str:
    accuracy, loss, examples = (metrics["test"][key] for key in ("accuracy", "loss", "examples"))
    return (
        f"test accuracy {accuracy:.2%}, loss {loss:.4f} on {examples} images\n"
        f"{metrics['parameters']:,} parameters, {metrics['wall_seconds']:.0f} s of training"
    )


def main(arguments=None):
    options = train_options(__doc__, arguments)
    try:
        metrics = train(options.config, options.workdir, accept_changes=options.accept_changes)
    except Interrupted:
        leave_resumable()
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        print(f"Another worker was lost: {first_line(error)}", file=sys.stderr)
        sys.exit(RESUMABLE)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"error: {error}")
    print(_headline(metrics))


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    main()
