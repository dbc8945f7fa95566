"""Accuracy against the number of training images, for several models:

    python -m training.scaling --config training/configs/compare_fashion_mnist.py \\
        --workdir runs/scaling --seeds 0 1 2 --jobs 2

Every model is trained on random subsets of the training images, balanced over the classes, for the
same number of steps. The subsets of one seed are nested: the larger hold the smaller. A power law
is fitted to the test error of each model; what it says of more images is an extrapolation. The
study continues where it was when the same command is given again.

`results.json` in the folder holds every run. `--from` prints the tables of such files again.
"""

from training.command_line import Arguments, scaling_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    scaling_options(__doc__)

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_mlp.whole_files import write_text
from training.compare import (
    by_architecture,
    check_comparison,
    compare_all,
    model_names,
    records,
    single_run,
)
from training.config import Comparison
from training.engine.chosen import engine_module
from training.engine.stored_config import as_stored
from training.models.from_config import model_image_shape
from training.reports.mean_and_range import mean_and_range
from training.reports.scaling_picture import draw_scaling
from training.studies.pace import with_steps
from training.studies.power_law import PowerLaw, fit_power_law
from training.studies.program import run_study
from training.studies.results import RESULTS_FILE, with_diverged, write_results
from training.terminal import set_up_terminal

PROGRAM = "training.scaling"
_POINTS_OF_CURVE = 5
Errors = dict[str, dict[int, list[float]]]


def scaling(
    comparison: Comparison,
    workdir: str | pathlib.Path,
    *,
    percent: Sequence[float] = (1, 3, 10, 30, 100),
    steps: int = 2000,
    jobs: int = 0,
) -> list[dict[str, Any]]:
    """Trains every model with every seed on every subset.

    Writes into the folder: a comparison for each subset, in `N_per_class/` or `all/`;
    `results.json`, `table.md` and `scaling.png`.

    Args:
        comparison: a checked `training.config.Comparison`. Its epochs and
            `data.examples_per_class` are not used.
        workdir: path of the study's folder.
        percent: sizes of the subsets, in percent of the training images.
        steps: length of every run; the warm-up is as large a part of it as on the page.
        jobs: as for `training.compare.compare`.

    Returns:
        The runs, one dict of `training.studies.results.run_record` each.

    Raises:
        ValueError: a subset has no image of each class; and as for `training.compare.compare`.
    """
    folder = pathlib.Path(workdir)
    parts = _parts(comparison, folder, percent, steps)
    results = compare_all(parts, jobs=jobs)
    runs = [run for part in results for run in records(part)]
    page = as_stored(comparison)
    write_results(folder / RESULTS_FILE, PROGRAM, page, runs, percent=list(percent), steps=steps)
    errors = errors_of(runs)
    write_text(folder / "table.md", scaling_tables(runs) + "\n")
    draw_scaling(folder / "scaling.png", errors, laws_of(errors))
    return runs


def _parts(
    comparison: Comparison, folder: pathlib.Path, percent: Sequence[float], steps: int
) -> list[tuple[Comparison, pathlib.Path]]:
    """The comparison on each subset, with its folder, the smallest first."""
    check_comparison(comparison)
    if comparison.minutes:
        raise ValueError("`minutes` must be 0: every subset gets the same number of steps.")
    first = single_run(comparison, model_names(comparison)[0], comparison.runtime.seed)
    whole = dataclasses.replace(comparison.data, examples_per_class=0)
    splits = engine_module().load_splits(whole, model_image_shape(first.model))
    parts = {}
    for each in sorted(set(percent)):
        per_class = round(each / 100 * splits.train.size / len(splits.classes))
        if per_class < 1:
            raise ValueError(
                f"`--percent` {each} of {splits.train.size} images is less than one of each of "
                f"{len(splits.classes)} classes."
            )
        images = per_class * len(splits.classes) if each < 100 else splits.train.size
        epochs = steps * whole.batch_size / images
        every = max(1, round(epochs / _POINTS_OF_CURVE))
        part = dataclasses.replace(
            with_steps(comparison, steps),
            data=dataclasses.replace(whole, examples_per_class=per_class if each < 100 else 0),
            runtime=dataclasses.replace(comparison.runtime, epochs_per_checkpoint=every),
        )
        name = f"{per_class}_per_class" if each < 100 else "all"
        parts[name] = part, folder / name
    return list(parts.values())


def errors_of(runs: Iterable[Mapping[str, Any]]) -> Errors:
    """Test errors of runs: from a model and a number of training images to those of its seeds."""
    errors: Errors = {}
    for run in runs:
        own = errors.setdefault(run["architecture"], {})
        # A perfect score of so many images is no error of 0, which has no logarithm.
        least = 0.5 / run["test"]["examples"]
        error = max(1 - run["test"]["accuracy"], least)
        own.setdefault(run["train_examples"], []).append(error)
    return errors


def laws_of(errors: Errors) -> dict[str, PowerLaw]:
    """The power law of each model that was trained on several sizes."""
    return {name: fit_power_law(own) for name, own in errors.items() if len(own) > 1}


def scaling_tables(runs: Sequence[Mapping[str, Any]]) -> str:
    """Markdown tables: accuracy at each size, and the power law of each model.

    Both say how many of a figure's runs diverged.
    """
    errors = errors_of(runs)
    sizes = sorted({size for own in errors.values() for size in own})
    columns = ["architecture", "parameters", *(f"{size:,} images" for size in sizes), "seeds"]
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    for name, own in by_architecture(runs).items():
        cells = [
            with_diverged(
                _accuracy(errors[name].get(size, [])),
                (run for run in own if run["train_examples"] == size),
            )
            for size in sizes
        ]
        seeds = str(len({run["seed"] for run in own}))
        lines.append(f"| {name} | {own[0]['parameters']:,} | {' | '.join(cells)} | {seeds} |")
    laws = laws_of(errors)
    if not laws:
        return "\n".join(lines)
    lines += [
        "",
        "| architecture | exponent | of 95% | largest factor off the law "
        "| accuracy at ten times the images, extrapolated | of 95% |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, law in laws.items():
        fitted = with_diverged(name, (run for run in runs if run["architecture"] == name))
        far = law.extrapolated_interval
        lines.append(
            f"| {fitted} | {law.exponent:.3f} | {_interval(law.exponent_interval, '.3f')} "
            f"| {law.deviation:.2f} | {1 - law.extrapolated:.1%} "
            f"| {_interval((1 - far[1], 1 - far[0]) if far else None, '.1%')} |"
        )
    return "\n".join(lines)


def _accuracy(errors: Sequence[float]) -> str:
    return mean_and_range([1 - error for error in errors], ".1%") if errors else ""


def _interval(interval: tuple[float, float] | None, form: str) -> str:
    return "one seed" if interval is None else " to ".join(f"{each:{form}}" for each in interval)


def main(arguments: Arguments = None) -> None:
    options = scaling_options(__doc__, arguments)
    run_study(
        options,
        PROGRAM,
        scaling_tables,
        lambda: scaling(
            options.config,
            options.workdir,
            percent=options.percent,
            steps=options.steps,
            jobs=options.jobs,
        ),
    )


if __name__ == "__main__":
    set_up_terminal()
    main()
