"""How much models owe to the order of pixels: the same training on permuted images.

    python -m training.permuted --config training/configs/compare_fashion_mnist.py \\
        --workdir runs/permuted --seeds 0 1 2 --jobs 2

Every model is trained three times: on the images as they are, on images whose patches are in one
fixed random order, and on images whose pixels are. The order is the same for all images, in
training and in the test. A model that treats positions alike, such as a plain MLP, loses nothing; a
convolutional network loses most. Choose `--patch` as the models' patch: models that mix patches
without regard to their places then lose nothing in the first case.

`results.json` in the folder holds every run. `--from` prints the table of such files again. The
study continues where it was when the same command is given again.
"""

from training.command_line import Arguments, permuted_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    permuted_options(__doc__)

import dataclasses
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_mlp.whole_files import write_text
from training.compare import by_architecture, compare_all, records
from training.config import Comparison
from training.engine.stored_config import as_stored
from training.reports.mean_and_range import mean_and_range
from training.studies.program import run_study
from training.studies.results import RESULTS_FILE, with_diverged, write_results
from training.terminal import set_up_terminal

PROGRAM = "training.permuted"
ORDERS = ("as they are", "patches", "pixels")


def permuted(
    comparison: Comparison, workdir: str | pathlib.Path, *, patch: int = 7, jobs: int = 0
) -> list[dict[str, Any]]:
    """Trains every model with every seed on the images in each order.

    Writes into the folder: a comparison for each order, in `unpermuted/`, `patches/` and `pixels/`;
    `results.json` and `table.md`.

    Args:
        comparison: a checked `training.config.Comparison`. Its `model.permute_patches` is not used.
        workdir: path of the study's folder.
        patch: side of a patch in pixels, at least 2; divides the image.
        jobs: as for `training.compare.compare`.

    Returns:
        The runs, one dict of `training.studies.results.run_record` each, and `order`, one of
        `ORDERS`.

    Raises:
        ValueError: the patch does not divide the image; and as for `training.compare.compare`.
    """
    folder = pathlib.Path(workdir)
    sides = {"unpermuted": 0, "patches": patch, "pixels": 1}
    parts = [
        (
            dataclasses.replace(
                comparison, model=dataclasses.replace(comparison.model, permute_patches=side)
            ),
            folder / name,
        )
        for name, side in sides.items()
    ]
    results = compare_all(parts, jobs=jobs)
    runs = [
        {**run, "order": order}
        for order, part in zip(ORDERS, results, strict=True)
        for run in records(part)
    ]
    write_results(folder / RESULTS_FILE, PROGRAM, as_stored(comparison), runs, patch=patch)
    write_text(folder / "table.md", permuted_table(runs) + "\n")
    return runs


def permuted_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: accuracy in each order, and what is lost, paired by seed.

    Runs that diverged count like any other; the accuracy says how many there are.
    """
    lines = [
        "| architecture | images as they are | patches permuted | lost | pixels permuted | lost "
        "| seeds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, own in by_architecture(runs).items():
        accuracy = {
            order: {run["seed"]: run["test"]["accuracy"] for run in own if run["order"] == order}
            for order in ORDERS
        }
        means = [
            with_diverged(
                f"{statistics.mean(accuracy[order].values()):.2%}",
                (run for run in own if run["order"] == order),
            )
            for order in ORDERS
        ]
        cells = [means[0]]
        for order, mean in zip(ORDERS[1:], means[1:], strict=True):
            straight = accuracy[ORDERS[0]]
            points = [100 * (straight[seed] - other) for seed, other in accuracy[order].items()]
            cells += [mean, mean_and_range(points, ".2f")]
        lines.append(f"| {name} | {' | '.join(cells)} | {len(accuracy[ORDERS[0]])} |")
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = permuted_options(__doc__, arguments)
    run_study(
        options,
        PROGRAM,
        permuted_table,
        lambda: permuted(options.config, options.workdir, patch=options.patch, jobs=options.jobs),
    )


if __name__ == "__main__":
    set_up_terminal()
    main()
