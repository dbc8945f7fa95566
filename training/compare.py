"""Trains several models on one budget with one recipe, and prints them side by side:

    python -m training.compare --config training/configs/compare_digits.py --workdir runs/compare

A comparison that was stopped continues where it was when the same command is given again; with more
seeds or architectures it trains the new ones. The budget is the page's: the same images for every
model; with `--minutes`, the same time for the training steps of each. `--jobs 2` trains two runs at
a time, each on a core of its own.

Models are the architectures of keras_mlp and, as `module:function`, any other Keras model:

    --set "architectures=('MLPMixer', 'examples.comparators:bit_resnet')"

`results.json` in the folder holds every run. `--from` prints the tables of such files again:

    python -m training.compare --from docs/results/*.json
"""

from training.command_line import Arguments, compare_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    compare_options(__doc__)

import contextlib
import copy
import dataclasses
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

import keras_mlp
from keras_mlp.json_files import read_json
from keras_mlp.whole_files import write_text
from training.architecture_names import check_architecture
from training.config import Comparison, Config
from training.engine.chosen import engine_module
from training.engine.stored_config import as_stored
from training.engine.workdir import Workdir
from training.models.arguments import check_model
from training.models.from_config import model_image_shape
from training.models.function_models import argument_names, find_function, is_function
from training.report import METRICS_WAY_OUT
from training.studies.pace import with_planned_steps
from training.studies.parallel import check_jobs, train_in_processes
from training.studies.program import run_study
from training.studies.results import (
    RESULTS_FILE,
    run_record,
    with_diverged,
    write_results,
)
from training.terminal import many_models, set_up_terminal
from training.train import train_seeds

PROGRAM = "training.compare"
Results = dict[str, list[dict[str, Any]]]


def compare(comparison: Comparison, workdir: str | pathlib.Path, *, jobs: int = 0) -> Results:
    """Trains every model with every seed.

    Writes into the folder: the run of each seed in `ARCHITECTURE/seedN/` (a function's name has a
    dot for its colon there), `results.json`, and `table.md`.

    Args:
        comparison: a checked `training.config.Comparison`.
        workdir: path of the comparison's folder.
        jobs: number of runs at a time, each in a process with one core and one thread; 0 for one
            run after the other in this process, with all its cores.

    Returns:
        The metrics of the runs of each architecture, one dict per seed.

    Raises:
        ValueError: an architecture or one of its arguments is unknown, or the config does not fit
            the data or the folder.
        FloatingPointError: the loss of a run is not finite.
        RuntimeError: a run in a process of its own failed.
        Interrupted: SIGTERM or Ctrl-C came; a checkpoint of the current runs was saved.
        OSError: a file cannot be written.
    """
    (results,) = compare_all([(comparison, pathlib.Path(workdir))], jobs=jobs)
    return results


def compare_all(
    parts: Sequence[tuple[Comparison, pathlib.Path]], *, jobs: int = 0
) -> list[Results]:
    """Trains several comparisons: the first seed of all of them, then the second.

    Args:
        parts: each comparison with its folder; with the same seeds and the same architectures.
        jobs: as for `compare`.

    Returns:
        What `compare` returns, for each; errors are those of `compare`.
    """
    if jobs:
        check_jobs(jobs)
    for comparison, _ in parts:  # all of them before the first trains for hours
        check_comparison(comparison)
    with many_models(), contextlib.ExitStack() as stack:
        for comparison, folder in parts:
            stack.enter_context(Workdir(folder, comparison, may_grow=("seeds", "architectures")))
        _train_all(parts, jobs)
    return [finished_runs(comparison, folder) for comparison, folder in parts]


def _train_all(parts: Sequence[tuple[Comparison, pathlib.Path]], jobs: int) -> None:
    groups = [
        (comparison, name, seeds, folder)
        for seeds in _seed_groups(parts[0][0])
        for comparison, folder in parts
        for name in model_names(comparison)
    ]
    if jobs:
        runs = [
            (
                single_run(comparison, name, seed),
                model_folder(folder, name) / f"seed{seed}",
                comparison.minutes,
            )
            for comparison, name, seeds, folder in groups
            for seed in seeds
        ]
        train_in_processes(runs, jobs, lambda done: _write_part_of(done, parts))
        return
    for comparison, name, seeds, folder in groups:
        print(f"\n== {name}, seed {', '.join(map(str, seeds))}", flush=True)
        keras.utils.clear_session()
        configs = with_planned_steps(
            [single_run(comparison, name, seed) for seed in seeds],
            model_folder(folder, name),
            comparison.minutes,
        )
        train_seeds(configs, [model_folder(folder, name) / f"seed{seed}" for seed in seeds])
        _write(comparison, folder)


def check_comparison(comparison: Comparison) -> None:
    """Raises ValueError unless every model of a comparison exists and takes its arguments."""
    for name in model_names(comparison):
        _check_name("architectures", name)
    for name in comparison.demands:
        _check_name("demands", name)
    for name in model_names(comparison):
        model = single_run(comparison, name, comparison.runtime.seed).model
        check_model(model)
        height, width, _ = model_image_shape(model)
        side = model.permute_patches
        if side and (height % side or width % side):
            raise ValueError(
                f"`model.permute_patches`={side} must divide the image, {height} x {width} pixels."
            )
    engine_module().check_config(comparison)


def single_run(comparison: Comparison, architecture: str, seed: int) -> Config:
    """The `Config` of one of the runs."""
    fields = {field.name: getattr(comparison, field.name) for field in dataclasses.fields(Config)}
    run = Config(**copy.deepcopy(fields))
    run.model.architecture = architecture
    if is_function(architecture):
        taken = argument_names(find_function(architecture))
        given = run.model.arguments
        run.model.arguments = {name: given[name] for name in given if name in taken}
    if is_function(architecture) or run.model.permute_patches:
        run.runtime.export = False  # which is for models of keras_mlp
    run.model.arguments.update(comparison.demands.get(architecture, {}))
    run.runtime.seed = seed
    if run.data.examples_per_class and run.data.subset_seed is not None:
        run.data.subset_seed += seed
    return run


def model_folder(folder: pathlib.Path, architecture: str) -> pathlib.Path:
    """The folder of all runs of an architecture in that of a comparison."""
    return folder / architecture.replace(":", ".")


def finished_runs(comparison: Comparison, folder: pathlib.Path) -> Results:
    """The metrics of those runs of a comparison that are finished."""
    results: Results = {}
    for name in model_names(comparison):
        paths = [model_folder(folder, name) / f"seed{seed}" for seed in seeds_of(comparison)]
        results[name] = [
            read_json(path / "metrics.json", METRICS_WAY_OUT, run_record)
            for path in paths
            if (path / "metrics.json").exists()
        ]
    return results


def records(results: Results) -> list[dict[str, Any]]:
    """The runs of `compare` as `training.studies.results` keeps them."""
    return [run_record(metrics) for runs in results.values() for metrics in runs]


def model_names(comparison: Comparison) -> tuple[str, ...]:
    """The names of a comparison's models."""
    return comparison.architectures or tuple(keras_mlp.ARCHITECTURES)


def _check_name(key: str, name: str) -> None:
    if is_function(name):
        find_function(name)
    else:
        check_architecture(key, name)


def seeds_of(comparison: Comparison) -> list[int]:
    """The seeds of the runs of each architecture."""
    first = comparison.runtime.seed
    return list(comparison.seeds) or list(range(first, first + comparison.repeats))


def _seed_groups(comparison: Comparison) -> list[list[int]]:
    """The seeds in the order in which they are trained, those that train at once together.

    On JAX all seeds of an architecture train at once, on the same images. Elsewhere every
    architecture has its first seed before one has its second.
    """
    seeds = seeds_of(comparison)
    one_by_one = comparison.minutes or comparison.data.examples_per_class
    if keras.backend.backend() == "jax" and not one_by_one:
        return [seeds]
    return [[seed] for seed in seeds]


def _write_part_of(run: pathlib.Path, parts: Iterable[tuple[Comparison, pathlib.Path]]) -> None:
    """Writes the results of the comparison that a finished run belongs to."""
    print(f"{run} is finished.", flush=True)
    for comparison, folder in parts:
        if folder == run.parents[1]:
            _write(comparison, folder)


def _write(comparison: Comparison, folder: pathlib.Path) -> None:
    runs = records(finished_runs(comparison, folder))
    write_results(folder / RESULTS_FILE, PROGRAM, as_stored(comparison), runs)
    write_text(folder / "table.md", comparison_table(runs) + "\n")


def by_architecture(runs: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Runs, one dict of `run_record` each, by the name of their model."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        grouped.setdefault(run["architecture"], []).append(run)
    return grouped


def comparison_table(runs: Iterable[Mapping[str, Any]]) -> str:
    """A Markdown table of finished runs: mean and range of the accuracy over seeds.

    Runs that diverged count like any other; the column of the seeds says how many there are.
    """
    lines = [
        "| architecture | parameters | images seen | test accuracy | lowest | highest | seeds "
        "| minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, own in by_architecture(runs).items():
        accuracy = [run["test"]["accuracy"] for run in own]
        figures = statistics.mean(accuracy), min(accuracy), max(accuracy)
        minutes = statistics.median(run["wall_seconds"] for run in own) / 60
        lines.append(
            f"| {name} | {own[0]['parameters']:,} | {own[0]['images_seen']:,} | "
            + " | ".join(f"{figure:.2%}" for figure in figures)
            + f" | {with_diverged(str(len(own)), own)} | {minutes:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = compare_options(__doc__, arguments)
    run_study(
        options,
        PROGRAM,
        comparison_table,
        lambda: records(compare(options.config, options.workdir, jobs=options.jobs)),
    )


if __name__ == "__main__":
    set_up_terminal()
    main()
