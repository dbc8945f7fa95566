"""Fine-tunes a trained model on your pictures, PICTURES/CLASS/*.jpg:

    python -m training.finetune --folder PICTURES --source MODEL --workdir RUN

Without --source a small model learns from random weights. With --compare, three ways get the same
budget: frozen (only a new linear classifier learns), fine-tuned (everything learns, from the given
weights) and from scratch (everything learns, from random weights). docs/own_pictures.md has more.

With a page in place of the folder, it compares the three ways over several seeds:

    python -m training.finetune --source runs/digits_source/features --workdir runs/transfer \\
        --config training/configs/digits_transfer.py
"""

from training.command_line import Arguments, finetune_options
from training.engine.explosion import LossLimits
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    finetune_options(__doc__)

import argparse
import dataclasses
import pathlib
import time
from typing import Any

import keras
import tqdm

import keras_mlp
from keras_mlp.json_files import write_json
from keras_mlp.whole_files import whole_file, write_text
from training.config import FineTuneConfig
from training.engine.chosen import Splits, engine_module
from training.engine.points import count_steps
from training.engine.stored_config import as_stored
from training.engine.workdir import Workdir
from training.evaluate import store_golden
from training.models.starting_points import SavedModelFolder, TrainedModel, open_starting_point
from training.models.trained_model import LABELS_FILE, size_of
from training.program_end import clear_end
from training.reports.provenance import provenance
from training.reports.way_table import accuracy_table
from training.studies.results import check_same_source
from training.terminal import many_models, set_up_terminal

METRICS = "metrics.json"


def finetune(
    config: FineTuneConfig, source: str | pathlib.Path, workdir: str | pathlib.Path
) -> dict[str, Any]:
    """Runs each of the three ways with every seed, and keeps the first fine-tuned model.

    Writes into the folder: `metrics.json`, `model.keras`, `labels.txt` and, on TensorFlow,
    `saved_model/`. The model is a `VisionModel`, and its SavedModel has the signatures of any
    other, unless the source is a SavedModel that does not describe how to build its model.

    Args:
        config: a checked `training.config.FineTuneConfig`.
        source: a trained model, one of `training.models.trained_model.KINDS`.
        workdir: path of the run's folder.

    Returns:
        The dict in `metrics.json`; `accuracy` holds one number per seed for each way.

    Raises:
        ValueError: the config does not fit the source, the data or the folder.
    """
    if config.runtime.strategy != "one_device":
        raise ValueError('Fine-tuning compares on `runtime.strategy="one_device"` only.')
    engine = engine_module()
    engine.check_config(config)
    start = open_starting_point(source, config.transfer)
    splits = engine.load_splits(config.data, start.image_shape)
    for note in start.notes:
        print(note, flush=True)
    with Workdir(workdir, config) as folder, many_models():
        check_same_source(folder.path, source, "accuracy")
        return _compare(config, str(source), start, splits, folder.path)


def _compare(
    config: FineTuneConfig,
    source: str,
    start: TrainedModel | SavedModelFolder,
    splits: Splits,
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Trains every way with every seed, and writes the results."""
    engine = engine_module()
    accuracy: dict[str, list[float]] = {way: [] for way in start.ways}
    steps = count_steps(config.epochs, splits.train.size / config.data.batch_size)
    kept: keras.Model | None = None
    of_kept: dict[str, Any] = {}
    with tqdm.tqdm(total=len(start.ways) * config.repeats, desc="fine-tune", unit="run") as bar:
        for seed in range(config.runtime.seed, config.runtime.seed + config.repeats):
            for way in start.ways:
                keras.utils.set_random_seed(seed)
                model = start.build(way, len(splits.classes))
                decay = config.transfer.layer_decay if way == "fine-tuned" else 1.0
                began = time.monotonic()
                engine.fit_briefly(model, splits.train, config, seed=seed, layer_decay=decay)
                seconds = time.monotonic() - began
                result = engine.evaluate(model, splits.test, config.data.batch_size)
                accuracy[way].append(result["accuracy"])
                if way == "fine-tuned" and kept is None:
                    kept = model
                    limits = LossLimits(config.optimizer.loss, len(splits.classes))
                    of_kept = {
                        "test": result,
                        "diverged": limits.exceeded("test", steps, result["loss"]),
                        "wall_seconds": round(seconds, 1),
                    }
                bar.update()
    assert kept is not None  # there is at least one seed
    kept = start.finished(kept)
    metrics = {
        "source": source,
        "accuracy": accuracy,
        **of_kept,
        "parameters": kept.count_params(),
        "steps": steps,
        "replicas": 1,
        "test_examples": splits.test.size,
        "train_examples": splits.train.size,
        "classes": splits.classes,
        "config": as_stored(config),
        **provenance(),
    }
    if isinstance(kept, keras_mlp.VisionModel):
        kept.class_names = splits.classes
        # As training.train describes a model that starts from a source, for the readers of runs.
        metrics["config"]["model"] = {
            "architecture": type(kept).__name__,
            "variant": size_of(kept),
            "source": source,
        }
    _write_model(kept, splits, folder, config.data.upright)
    write_json(folder / METRICS, metrics)
    return metrics


def _write_model(model: keras.Model, splits: Splits, folder: pathlib.Path, upright: bool) -> None:
    with whole_file(folder / "model.keras") as path:
        model.save(path)
    write_text(folder / LABELS_FILE, "".join(f"{name}\n" for name in splits.classes))
    if keras.backend.backend() == "tensorflow":
        keras_mlp.export_saved_model(
            model,
            folder / "saved_model",
            class_names=splits.classes,
            upright=upright,
            overwrite=True,
        )
        store_golden(model, splits.test, folder / "saved_model")


def main(arguments: Arguments = None) -> None:
    options = finetune_options(__doc__, arguments)
    with clear_end():
        if options.folder:
            _finetune_on_folder(options)
            return
        metrics = finetune(options.config, options.source, options.workdir)
    print(accuracy_table(metrics["accuracy"]))


def _finetune_on_folder(options: argparse.Namespace) -> None:
    from training.own_pictures import Wishes, train_on_folder

    names = [field.name for field in dataclasses.fields(Wishes)]
    train_on_folder(Wishes(**{name: getattr(options, name) for name in names}))


if __name__ == "__main__":
    set_up_terminal()
    main()
