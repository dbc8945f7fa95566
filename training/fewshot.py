"""Accuracy from a few images per class: ridge regression on the features of trained models.

    python -m training.fewshot --source saved_models/mixer_fashion_mnist runs/*/model.keras \\
        --config training/configs/digits.py --set data.validation_percent=20 --output fewshot

A source is a `.keras` file, the folder of a SavedModel of features, or an artefact's folder; its
weights stay as they are. The few images are drawn from the config's training images, ten times. The
L2 penalty is chosen on the held-out ones (`data.validation_percent`), the mean over the draws; the
test images choose nothing. The same is done with the pixels of small images, for comparison.
Writes `results.json`, `table.md` and `fewshot.png` into `--output`. `--from` prints the tables of
such results files again.
"""

from training.command_line import Arguments, fewshot_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    fewshot_options(__doc__)

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_mlp.whole_files import made_folder, write_text
from training.config import Config
from training.engine.chosen import Split, engine_module
from training.engine.stored_config import as_stored
from training.models.frozen_features import FrozenFeatures, open_features, pixel_features
from training.reports.fewshot_picture import draw_few_shot
from training.reports.mean_and_range import mean_and_range
from training.reports.provenance import provenance
from training.studies.few_shot import Labelled, few_shot
from training.studies.program import run_study
from training.studies.results import RESULTS_FILE, write_results
from training.terminal import set_up_terminal

PROGRAM = "training.fewshot"
MOST_PIXELS = 4096  # values of an image that are regressed on as they are


def fewshot(
    config: Config,
    sources: Sequence[str | pathlib.Path],
    output: str | pathlib.Path,
    *,
    shots: Sequence[int] = (1, 5, 10, 25),
    draws: int = 10,
) -> list[dict[str, Any]]:
    """Measures every source, and the pixels themselves, with every number of images per class.

    Args:
        config: a checked `training.config.Config`, whose data is used.
        sources: see `training.models.frozen_features.open_features`.
        output: path of the folder of the results, created if it does not exist.
        shots: numbers of images per class.
        draws: number of random choices of these images.

    Returns:
        A list with a dict for each source and number: `source`; `features`, their number D; the
        fields of `training.studies.few_shot.FewShot`; and the keys of `provenance`.

    Raises:
        ValueError: a source cannot be opened, a class has too few images, or none are held out.
        OSError: `output` cannot be created.
    """
    opened = {str(source): open_features(source) for source in sources}
    sizes = dict.fromkeys(model.image_shape for model in opened.values())
    opened |= {
        f"pixels, {' x '.join(map(str, size))}": pixel_features(size)
        for size in sizes
        if math.prod(size) <= MOST_PIXELS
    }
    runs = []
    for source, model in opened.items():
        splits = engine_module().load_splits(config.data, model.image_shape)
        if splits.validation is None:
            raise ValueError(
                "`data.validation_percent` must be positive: the L2 penalty is chosen on held-out "
                "images."
            )
        made_folder(output, "--output")  # before the work
        train, held_out, test = (
            _features(model, split, config.data.batch_size)
            for split in (splits.train, splits.validation, splits.test)
        )
        for count in shots:
            found = few_shot(train, held_out, test, len(splits.classes), count, draws)
            dimensions = train.features.shape[-1]
            facts = {"source": source, "features": dimensions, **dataclasses.asdict(found)}
            runs.append({**facts, **provenance()})
            print(
                f"{source}: {count} per class, {statistics.mean(found.test):.1%} "
                f"(L2 {found.l2:g}, held out {found.held_out:.1%})",
                flush=True,
            )
    folder = pathlib.Path(output)
    page = {"data": as_stored(config)["data"]}
    write_results(folder / RESULTS_FILE, PROGRAM, page, runs)
    write_text(folder / "table.md", fewshot_table(runs) + "\n")
    draw_few_shot(folder / "fewshot.png", runs)
    return runs


def fewshot_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: the mean and range of the test accuracy over the draws."""
    counts = sorted({run["shots"] for run in runs})
    columns = ["model", "features", *(f"{count} per class" for count in counts), "draws"]
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    for source in dict.fromkeys(run["source"] for run in runs):
        own = {run["shots"]: run for run in runs if run["source"] == source}
        accuracy = {count: mean_and_range(run["test"], ".1%") for count, run in own.items()}
        cells = [accuracy.get(count, "") for count in counts]
        first = next(iter(own.values()))
        lines.append(
            f"| {source} | {first['features']:,} | {' | '.join(cells)} | {len(first['test'])} |"
        )
    return "\n".join(lines)


def _features(model: FrozenFeatures, split: Split, batch_size: int) -> Labelled:
    call = engine_module().compiled(model.call)
    features, labels = [], []
    for images, classes in split.batches(batch_size):
        kept = classes >= 0  # without what fills up the last batch
        features.append(np.asarray(call(images))[kept])
        labels.append(classes[kept])
    return Labelled(np.concatenate(features), np.concatenate(labels))


def main(arguments: Arguments = None) -> None:
    options = fewshot_options(__doc__, arguments)
    run_study(
        options,
        PROGRAM,
        fewshot_table,
        lambda: fewshot(
            options.config,
            options.source,
            options.output,
            shots=options.shots,
            draws=options.draws,
        ),
    )


if __name__ == "__main__":
    set_up_terminal()
    main()
