"""Trains a model: `python -m training.train --config training/configs/digits.py --workdir DIR`.

A run that was stopped, by whatever means, continues from its newest checkpoint when the same
command is given again, and ends where it would have ended.
"""

from training.command_line import Arguments, train_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    train_options(__doc__)

import contextlib
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import keras

import keras_mlp
from keras_mlp.golden import GOLDEN_IMAGES, write_golden
from keras_mlp.json_files import read_json, write_json
from keras_mlp.whole_files import whole_file
from training.config import Config
from training.engine.chosen import Engine, Run, Split, Splits, engine_module
from training.engine.curve import Curve
from training.engine.explosion import LossLimits, described
from training.engine.optimizers import build_optimizer
from training.engine.points import count_steps
from training.engine.sizes import check_sizes, has_sizes
from training.engine.stored_config import as_stored
from training.engine.workdir import Workdir, check_same_config
from training.evaluate import evaluate_model, write_evaluation
from training.models.arguments import check_model
from training.models.from_config import build_model, model_image_shape
from training.program_end import clear_end
from training.report import METRICS_WAY_OUT, write_report
from training.reports.judgement import NotFiniteLogits
from training.reports.pictures import draw_predictions
from training.reports.printed import result_lines, shown_number, starting_line
from training.reports.provenance import device_name, provenance
from training.terminal import set_up_terminal

_DRAWN = 32  # test images in `predictions.png`
_TEST = ("loss", "accuracy", "top5_accuracy", "examples")  # in `metrics.json`


def train(
    config: Config, workdir: str | pathlib.Path, *, accept_changes: bool = False
) -> dict[str, Any]:
    """Trains the model of a config, from its newest checkpoint if there is one, and evaluates it.

    Writes into the folder: `model.keras`, `saved_model/` (to logits) and `features/` (to the inputs
    of the classifier), `metrics.json`, `history.jsonl` (the learning curve), `report.html` (a page
    with all results), `evaluation.json`, `confusion.png` and `reliability.png` (of the test split),
    `first_batch.png` (what the model sees in training), `predictions.png`, `checkpoints/`,
    `tensorboard/` and `orbit.log`.

    Args:
        config: a checked `training.config.Config`.
        workdir: path of the run's folder; on several hosts the same one for all.
        accept_changes: continue in a folder that was made with another config.

    Returns:
        The dict in `metrics.json`.

    Raises:
        ValueError: the config does not fit the data, the devices or the folder.
        FloatingPointError: the loss is no longer finite; the last checkpoint is kept, and the best.
        Interrupted: the process received SIGTERM or Ctrl-C; a checkpoint was saved.
        OSError: a file cannot be written; the last whole checkpoint is kept.
    """
    (metrics,) = train_seeds([config], [workdir], accept_changes=accept_changes)
    return metrics


def train_seeds(
    configs: list[Config],
    workdirs: Sequence[str | pathlib.Path],
    *,
    accept_changes: bool | None = None,
) -> list[dict[str, Any]]:
    """Trains configs that differ only in their seed: at once on JAX, elsewhere one by one.

    Steps of several sizes train one by one on JAX too.

    Args:
        configs: checked `training.config.Config`s, equal but for `runtime.seed`.
        workdirs: one path for each.
        accept_changes: as for `train`; None for a program that has no such option.

    Returns:
        The metrics of each. `train` lists the errors.
    """
    metrics = {
        number: metrics
        for number, (config, workdir) in enumerate(zip(configs, workdirs, strict=True))
        if (metrics := _finished(config, workdir))
    }
    due = [number for number in range(len(configs)) if number not in metrics]
    for number in due:
        check_model(configs[number].model)
    if due:
        engine_module().check_config(configs[due[0]])
        check_sizes(configs[due[0]])
        engine = engine_module().engine_for(configs[due[0]].runtime)
        # Seeds draw different sizes, so they cannot share a step.
        at_once = engine.trains_seeds_at_once and not has_sizes(configs[due[0]])
        groups = [due] if at_once else [[number] for number in due]
        for group in groups:
            new = _train_group(
                engine,
                [configs[number] for number in group],
                [workdirs[number] for number in group],
                accept_changes,
            )
            metrics |= zip(group, new, strict=True)
    return [metrics[number] for number in range(len(configs))]


def _finished(config: Config, workdir: str | pathlib.Path) -> dict[str, Any] | None:
    """The metrics of a run that is finished, or None."""
    metrics_file = pathlib.Path(workdir) / "metrics.json"
    if not metrics_file.exists():
        return None
    # Not locked: every worker of a cluster comes here.
    check_same_config(metrics_file.parent, config, "That run is finished: choose another folder.")
    print(f"{workdir} holds this run, finished.")
    return read_json(metrics_file, METRICS_WAY_OUT, _headline)


def _train_group(
    engine: Engine,
    configs: list[Config],
    workdirs: Sequence[str | pathlib.Path],
    accept_changes: bool | None,
) -> list[dict[str, Any]]:
    """Trains runs at once in folders that are theirs while they train."""
    with contextlib.ExitStack() as stack:
        folders = [
            stack.enter_context(
                Workdir(workdir, config, chief=engine.chief, accept_changes=accept_changes)
            )
            for config, workdir in zip(configs, workdirs, strict=True)
        ]
        return _train_in(folders, engine, configs)


def _train_in(
    folders: list[Workdir], engine: Engine, configs: list[Config]
) -> list[dict[str, Any]]:
    """Loads the data, builds models and optimizers, trains, and writes the results."""
    config = configs[0]
    _check_batch(config, engine.replicas)
    keras.utils.set_random_seed(config.runtime.seed)
    splits = engine.load_splits(config, model_image_shape(config.model))
    steps_per_epoch = splits.train.size / config.data.batch_size
    total_steps = count_steps(config.epochs, steps_per_epoch, config.steps)
    runs = [
        _new_run(engine, own, folder, splits.classes, total_steps, steps_per_epoch)
        for own, folder in zip(configs, folders, strict=True)
    ]
    if engine.chief:
        _say_start(runs[0], splits)
    facts = engine.fit(runs, splits, total_steps)
    limits = LossLimits(config.optimizer.loss, len(splits.classes))
    all_metrics = []
    for run in runs:
        with splits.explained():
            judged = _judged(run.model, splits, config.data.batch_size)
        test = {key: judged[key] for key in _TEST if key in judged}
        metrics = {
            "test": test,
            **_health(Curve(run.folder, limits, total_steps), test, total_steps),
            "parameters": run.model.count_params(),
            "classes": splits.classes,
            "steps": total_steps,
            "train_examples": splits.train.size,
            "corrupt_pictures": len(splits.damaged),
            "replicas": engine.replicas,
            "seeds_at_once": len(runs),
            **facts,
            "config": as_stored(run.config),
            **provenance(),
        }
        if run.folder.chief:
            _write_results(run, splits.test, judged, metrics)
        all_metrics.append(metrics)
    engine.finish()
    return all_metrics


def _say_start(run: Run, splits: Splits) -> None:
    held_out = splits.validation.size if splits.validation else 0
    sizes = splits.train.size, held_out, splits.test.size, len(splits.classes)
    model, data = as_stored(run.config)["model"], run.config.data.name
    print(starting_line(model, run.model.count_params(), data, sizes, device_name()), flush=True)


def _judged(model: keras.Model, splits: Splits, batch_size: int) -> dict[str, Any]:
    """The evaluation on the test split; nothing but a loss of NaN if a logit is not finite."""
    try:
        return evaluate_model(model, splits.test, splits.classes, batch_size)
    except NotFiniteLogits:
        return {"loss": math.nan}


def _health(curve: Curve, test: dict[str, Any], total_steps: int) -> dict[str, Any]:
    """Whether a loss exploded, and the best checkpoint; warns of the test loss.

    Raises:
        FloatingPointError: the test loss is not finite.
    """
    curve.watch("test", total_steps, test["loss"])
    if not math.isfinite(test["loss"]):
        exceeded = curve.limits.exceeded("test", total_steps, test["loss"])
        assert exceeded is not None
        raise FloatingPointError(described(exceeded) + curve.way_out())
    diverged = curve.limits.first_exceeded(curve.history, test, total_steps)
    return {"diverged": diverged, "best_checkpoint": curve.best.judged}


def _new_run(
    engine: Engine,
    config: Config,
    folder: Workdir,
    classes: list[str],
    total_steps: int,
    steps_per_epoch: float,
) -> Run:
    """Builds the model, with the initial weights of the config's seed, and its optimizer."""
    keras.utils.set_random_seed(config.runtime.seed)
    with engine.scope():
        model = build_model(config.model, len(classes), config.runtime.dtype)
        model.class_names = classes
        optimizer = build_optimizer(
            config.optimizer,
            model,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            layer_decay=config.optimizer.layer_decay,
            dtype=config.runtime.dtype,
        )
    return Run(config, folder, model, optimizer)


def _check_batch(config: Config, replicas: int) -> None:
    parts = replicas * config.optimizer.accumulate
    if config.data.batch_size % parts:
        raise ValueError(
            f"`data.batch_size`={config.data.batch_size} must be a multiple of {parts}: "
            f"{replicas} replica(s) times `optimizer.accumulate`={config.optimizer.accumulate}."
        )


def _write_results(run: Run, test: Split, judged: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Writes model, SavedModels, then the metrics, which mark the run as finished, and a report."""
    config, folder, model = run.config, run.folder, run.model
    with whole_file(folder.path / "model.keras") as path:
        model.save(path)
    images, labels = test.first(_DRAWN)
    logits = engine_module().compiled(model)(images)
    if config.runtime.export:
        if keras.backend.backend() == "tensorflow":
            for name, output in (("saved_model", "logits"), ("features", "features")):
                keras_mlp.export_saved_model(
                    model,
                    folder.path / name,
                    output=output,
                    upright=config.data.upright,
                    overwrite=True,
                )
            write_golden(
                folder.path / "saved_model", images[:GOLDEN_IMAGES], outputs=logits[:GOLDEN_IMAGES]
            )
        else:
            print(
                f"SavedModels need TensorFlow: `python -m saved_models.make {folder.path} --output "
                "FOLDER` makes them where it is installed."
            )
    data = f"{config.data.name}, test"
    write_evaluation({"source": "model.keras", "data": data, **judged}, folder.path)
    draw_predictions(folder.path / "predictions.png", images, labels, logits, metrics["classes"])
    write_json(folder.path / "metrics.json", metrics)
    write_report(folder.path)


def _headline(metrics: dict[str, Any]) -> str:
    accuracy, loss, examples = (metrics["test"][key] for key in ("accuracy", "loss", "examples"))
    lines = [
        f"test accuracy {accuracy:.2%}, loss {shown_number(loss, '.4f')} on {examples} images",
        f"{metrics['parameters']:,} parameters, {metrics['wall_seconds']:.0f} s of training",
    ]
    if diverged := metrics.get("diverged"):  # runs of earlier versions do not say
        lines.append(described(diverged))
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = train_options(__doc__, arguments)
    with clear_end():
        metrics = train(options.config, options.workdir, accept_changes=options.accept_changes)
    print(f"{_headline(metrics)}\n{result_lines(pathlib.Path(options.workdir))}")


if __name__ == "__main__":
    set_up_terminal()
    main()
