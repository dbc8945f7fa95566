"""Fine-tunes a trained model on a new task, and measures the gain:

    python -m training.finetune --source runs/digits/features --workdir runs/transfer \\
        --config training/configs/digits_transfer.py

Three ways get the same budget: frozen (only a new linear classifier learns), fine-tuned (everything
learns, from the given weights) and from scratch (everything learns, from random weights).
"""

from training.command_line import Arguments, finetune_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    finetune_options(__doc__)

import json
import logging
import pathlib
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tqdm

import keras_mlp
from keras_mlp.whole_files import whole_file, write_text
from training.config import FineTuneConfig
from training.engine.chosen import engine_module
from training.engine.stored_config import as_stored
from training.engine.workdir import Workdir
from training.models.starting_points import WAYS, open_starting_point
from training.reports.provenance import provenance
from training.terminal import set_up_terminal


def finetune(
    config: FineTuneConfig, source: str | pathlib.Path, workdir: str | pathlib.Path
) -> dict[str, Any]:
    """Runs each of the three ways with every seed, and keeps the first fine-tuned model.

    Writes into the folder: `metrics.json`, `model.keras` and, on TensorFlow, `saved_model/`.

    Args:
        config: a checked `training.config.FineTuneConfig`.
        source: path of a `keras_mlp` model's `.keras` file, or of a SavedModel's folder.
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
    folder = Workdir(workdir, config)
    start = open_starting_point(source, config.transfer)
    splits = engine.load_splits(config.data, start.image_shape)
    # Each run has its own model and step function; TensorFlow would warn of the fifth.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    accuracy: dict[str, list[float]] = {way: [] for way in WAYS}
    kept: keras.Model | None = None
    with tqdm.tqdm(total=len(WAYS) * config.repeats, desc="fine-tune", unit="run") as bar:
        for seed in range(config.runtime.seed, config.runtime.seed + config.repeats):
            for way in WAYS:
                keras.utils.set_random_seed(seed)
                model = start.build(way, len(splits.classes))
                decay = config.transfer.layer_decay if way == "fine-tuned" else 1.0
                engine.fit_briefly(model, splits.train, config, seed=seed, layer_decay=decay)
                result = engine.evaluate(model, splits.test, config.data.batch_size)
                accuracy[way].append(result["accuracy"])
                if way == "fine-tuned" and kept is None:
                    kept = model
                bar.update()
    assert kept is not None  # there is at least one seed
    if config.transfer.lora_rank:
        kept = keras_mlp.merge_lora(kept)
    with whole_file(folder.path / "model.keras") as path:
        kept.save(path)
    if keras.backend.backend() == "tensorflow":
        keras_mlp.export_saved_model(kept, folder.path / "saved_model", overwrite=True)
    metrics = {
        "source": str(source),
        "accuracy": accuracy,
        "test_examples": splits.test.size,
        "train_examples": splits.train.size,
        "classes": splits.classes,
        "config": as_stored(config),
        **provenance(),
    }
    write_text(folder.path / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def accuracy_table(accuracy: Mapping[str, Sequence[float]]) -> str:
    """A Markdown table of the three ways: mean and range over seeds."""
    lines = ["| way | test accuracy | lowest | highest |", "|---|---|---|---|"]
    for way, values in accuracy.items():
        figures = statistics.mean(values), min(values), max(values)
        lines.append(f"| {way} | " + " | ".join(f"{figure:.2%}" for figure in figures) + " |")
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = finetune_options(__doc__, arguments)
    try:
        metrics = finetune(options.config, options.source, options.workdir)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(accuracy_table(metrics["accuracy"]))


if __name__ == "__main__":
    set_up_terminal()
    main()
