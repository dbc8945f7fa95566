"""Trains a model: `python -m training.train --config training/configs/digits.py --workdir DIR`.

A run that was stopped, by whatever means, goes on from its newest checkpoint when the same command
is given again, and ends where it would have ended.
"""

import contextlib
import json
import logging
import math
import sys
import time

import keras
import orbit

import keras_mlp
from keras_mlp.arguments import check_choice
from training.checkpoints import CheckpointManager
from training.command_line import parse_command_line
from training.config import load_config
from training.data.pipeline import evaluation_batches, load_splits, training_stream
from training.evaluate import write_golden
from training.evaluator import Evaluator, evaluate
from training.optimizers import build_optimizer
from training.progress import ProgressBar
from training.provenance import provenance
from training.strategies import build_strategy
from training.trainer import Trainer
from training.workdir import Workdir, write_text, written_beside


def train(config, workdir):
    """Trains what a config describes, or goes on with it, and judges it on the test split.

    Writes into the folder: `model.keras`, `saved_model/` (to logits) and `features/` (to what the
    classifier sees), `metrics.json`, `history.jsonl` (the learning curve), `checkpoints/`,
    `tensorboard/` and `orbit.log`.

    Args:
        config: a checked `training.config.Config`.
        workdir: path of the run's folder.

    Returns:
        The dict in `metrics.json`.

    Raises:
        ValueError: the config does not fit the data or the folder.
        FloatingPointError: the loss is no longer finite; the last checkpoint is kept.
    """
    folder = Workdir(workdir, config)
    metrics_file = folder.path / "metrics.json"
    if metrics_file.exists():
        print(f"{folder.path} holds this run, finished.")
        return json.loads(metrics_file.read_text())

    strategy = build_strategy(config.runtime)  # virtual devices come before all else
    keras.utils.set_random_seed(config.runtime.seed)
    image_shape = model_image_shape(config.model)
    splits = load_splits(config.data, image_shape)
    steps_per_epoch = splits.train.size / config.data.batch_size
    total_steps = max(1, round(config.epochs * steps_per_epoch))
    with strategy.scope():
        model = build_model(config.model, len(splits.classes), config.runtime.dtype)
        optimizer = build_optimizer(
            config.optimizer, model, total_steps=total_steps, steps_per_epoch=steps_per_epoch
        )
        manager = CheckpointManager(
            model, optimizer, folder.checkpoints, keep=config.runtime.keep_checkpoints
        )
        trainer = Trainer(model, optimizer, config)
    seconds = _run(config, folder, splits, strategy, trainer, manager, total_steps)

    with strategy.scope():
        test = evaluate(model, splits.test, config.data.batch_size)
    with written_beside(folder.path / "model.keras") as path:
        model.save(path)
    if config.runtime.export:
        for name, output in (("saved_model", "logits"), ("features", "features")):
            keras_mlp.export_saved_model(model, folder.path / name, output=output, overwrite=True)
        write_golden(model, splits.test, folder.path / "saved_model")
    metrics = {
        "test": test,
        "parameters": model.count_params(),
        "classes": splits.classes,
        "steps": total_steps,
        "train_examples": splits.train.size,
        "wall_seconds": round(seconds, 1),
        "config": json.loads((folder.path / "config.json").read_text()),
        **provenance(),
    }
    write_text(metrics_file, json.dumps(metrics, indent=2) + "\n")
    return metrics


def build_model(model, num_classes, dtype):
    """The Keras model that a config names, with random weights."""
    architecture = keras_mlp.ARCHITECTURES[model.architecture]
    arguments = {**model.arguments, "num_classes": num_classes, "dtype": dtype}
    return architecture.from_variant(model.variant, **arguments)


def model_image_shape(model):
    """(H, W, C) of the model that a config names, before it is built."""
    check_choice("model.architecture", model.architecture, keras_mlp.ARCHITECTURES)
    variants = keras_mlp.ARCHITECTURES[model.architecture].variants
    check_choice("model.variant", model.variant, variants)
    arguments = {"image_shape": (224, 224, 3), **variants[model.variant], **model.arguments}
    return tuple(arguments["image_shape"])


def _run(config, folder, splits, strategy, trainer, manager, total_steps):
    """Trains to the last step; returns the seconds spent, those before a restart included."""
    manager.restore_or_initialize()
    step = trainer.optimizer.iterations.value
    start = int(step.numpy())
    history = folder.read_history(start)
    began = time.monotonic() - (history[-1]["seconds"] if history else 0.0)
    stream = training_stream(
        splits.train,
        batch_size=config.data.batch_size,
        seed=config.runtime.seed,
        start_step=start,
        augment=config.augment,
    )
    trainer.train_dataset = strategy.experimental_distribute_dataset(stream)
    with strategy.scope():
        evaluator = splits.validation and Evaluator(
            trainer.model, evaluation_batches(splits.validation, config.data.batch_size)
        )
    bar = ProgressBar(step, total_steps, config.data.batch_size)
    controller = orbit.Controller(
        strategy=strategy,
        trainer=trainer,
        evaluator=evaluator,
        global_step=step,
        steps_per_loop=config.runtime.steps_per_loop,
        summary_dir=str(folder.path / "tensorboard"),
        train_actions=[_stop_unless_finite, bar],
    )
    steps_per_epoch = splits.train.size / config.data.batch_size
    with open(folder.path / "orbit.log", "a") as log, contextlib.redirect_stdout(log):
        for boundary in _boundaries(config, steps_per_epoch, start, total_steps):
            controller.train(boundary, checkpoint_at_completion=False)
            entry = {"step": boundary, "epoch": boundary / steps_per_epoch}
            entry["train"] = trainer.epoch_metrics()
            if evaluator:
                entry["validation"] = controller.evaluate()
            folder.append_history({**entry, "seconds": time.monotonic() - began})
            manager.save(checkpoint_number=boundary)
    bar.close()
    return time.monotonic() - began


def _boundaries(config, steps_per_epoch, start, total_steps):
    """The steps after `start` at which a point of the curve and a checkpoint are due."""
    every = config.runtime.epochs_per_checkpoint
    count = math.ceil(config.epochs / every)
    due = (min(total_steps, round((i + 1) * every * steps_per_epoch)) for i in range(count))
    return sorted({step for step in due if step > start})


def _stop_unless_finite(outputs):
    if not math.isfinite(outputs["loss"]):
        raise FloatingPointError(
            "The training loss is no longer finite. The last checkpoint is kept; a smaller "
            "`optimizer.learning_rate` or `optimizer.clip_norm` may help."
        )


def main(arguments=None):
    options = parse_command_line("training.train", __doc__, ("config", "workdir"), arguments)
    try:
        metrics = train(load_config(options.config, options.overrides), options.workdir)
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    accuracy, loss, examples = (metrics["test"][key] for key in ("accuracy", "loss", "examples"))
    print(f"test accuracy {accuracy:.2%}, loss {loss:.4f} on {examples} images")
    print(f"{metrics['parameters']:,} parameters, {metrics['wall_seconds']:.0f} s of training")


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    main()
