"""Fine-tunes a trained model on a new task, and shows what that is worth:

    python -m training.finetune --source runs/digits/features --workdir runs/transfer \\
        --config training/configs/digits_transfer.py

The same budget goes to three ways: frozen (only a new linear classifier learns), fine-tuned
(everything learns, from the given weights) and from scratch (everything learns, from random ones).
"""

import json
import logging
import statistics
import sys

import keras
import tqdm

import keras_mlp
from keras_mlp.whole_files import whole_file, write_text
from training.command_line import parse_command_line
from training.config import FineTuneConfig, load_config
from training.data.pipeline import load_splits
from training.engine.tensorflow.evaluator import evaluate
from training.engine.tensorflow.fitting import fit
from training.engine.workdir import Workdir
from training.models.starting_points import WAYS, open_starting_point
from training.reports.provenance import provenance


def finetune(config, source, workdir):
    """Runs the three ways, each with every seed, and keeps the first fine-tuned model.

    Writes into the folder: `metrics.json`, `model.keras` and `saved_model/`.

    Args:
        config: a checked `training.config.FineTuneConfig`.
        source: path of a `.keras` file of ours, or of a SavedModel's folder.
        workdir: path of the run's folder.

    Returns:
        The dict in `metrics.json`; `accuracy` holds, for each way, one number per seed.

    Raises:
        ValueError: the config, the source, the data or the folder do not fit.
    """
    if config.runtime.strategy != "one_device":
        raise ValueError('Fine-tuning compares on `runtime.strategy="one_device"` only.')
    folder = Workdir(workdir, config)
    start = open_starting_point(source, config.transfer)
    splits = load_splits(config.data, start.image_shape)
    # Every run has a model, so a step function, of its own; TensorFlow would warn of the fifth.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    accuracy = {way: [] for way in WAYS}
    kept = None
    with tqdm.tqdm(total=len(WAYS) * config.repeats, desc="fine-tune", unit="run") as bar:
        for seed in range(config.runtime.seed, config.runtime.seed + config.repeats):
            for way in WAYS:
                keras.utils.set_random_seed(seed)
                model = start.build(way, len(splits.classes))
                decay = config.transfer.layer_decay if way == "fine-tuned" else 1.0
                fit(model, splits.train, config, seed=seed, layer_decay=decay)
                result = evaluate(model, splits.test, config.data.batch_size)
                accuracy[way].append(result["accuracy"])
                if way == "fine-tuned" and kept is None:
                    kept = model
                bar.update()
    if config.transfer.lora_rank:
        kept = keras_mlp.merge_lora(kept)
    with whole_file(folder.path / "model.keras") as path:
        kept.save(path)
    keras_mlp.export_saved_model(kept, folder.path / "saved_model", overwrite=True)
    metrics = {
        "source": str(source),
        "accuracy": accuracy,
        "test_examples": splits.test.size,
        "train_examples": splits.train.size,
        "classes": splits.classes,
        "config": json.loads((folder.path / "config.json").read_text()),
        **provenance(),
    }
    write_text(folder.path / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def accuracy_table(accuracy):
    """The three ways as a Markdown table: mean and range over seeds."""
    lines = ["| way | test accuracy | lowest | highest |", "|---|---|---|---|"]
    for way, values in accuracy.items():
        figures = statistics.mean(values), min(values), max(values)
        lines.append(f"| {way} | " + " | ".join(f"{figure:.2%}" for figure in figures) + " |")
    return "\n".join(lines)


def main(arguments=None):
    options = parse_command_line(
        "training.finetune", __doc__, ("source", "config", "workdir"), arguments
    )
    try:
        config = load_config(options.config, options.overrides, FineTuneConfig)
        metrics = finetune(config, options.source, options.workdir)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(accuracy_table(metrics["accuracy"]))


if __name__ == "__main__":
    main()
