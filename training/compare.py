"""Trains several architectures on one budget with one recipe, and prints them side by side:

    python -m training.compare --config training/configs/compare_digits.py --workdir runs/compare

A comparison that was stopped continues where it was when the same command is given again.
"""

from training.command_line import Arguments, compare_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    compare_options(__doc__)

import copy
import dataclasses
import logging
import pathlib
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras

import keras_mlp
from keras_mlp.arguments import check_choice
from keras_mlp.whole_files import write_text
from training.config import Comparison, Config
from training.engine.chosen import engine_module
from training.engine.interruption import RESUMABLE, Interrupted, LostWorker, leave_resumable
from training.engine.workdir import Workdir
from training.models.arguments import check_model
from training.terminal import set_up_terminal
from training.train import train_seeds


def compare(comparison: Comparison, workdir: str | pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """Trains every architecture with every seed.

    Writes into the folder: the run of each seed in `ARCHITECTURE/seedN/`, and `table.md`.

    Args:
        comparison: a checked `training.config.Comparison`.
        workdir: path of the comparison's folder.

    Returns:
        The metrics of the runs of each architecture, one dict per seed.

    Raises:
        ValueError: an architecture or one of its arguments is unknown, or the config does not fit
            the data or the folder.
        FloatingPointError: the loss of a run is not finite.
        Interrupted: SIGTERM or Ctrl-C came; a checkpoint of the current run was saved.
        OSError: a file cannot be written.
    """
    architectures = comparison.architectures or tuple(keras_mlp.ARCHITECTURES)
    for name in architectures:
        check_choice("architectures", name, keras_mlp.ARCHITECTURES)
    for name in comparison.demands:
        check_choice("demands", name, keras_mlp.ARCHITECTURES)
    for name in architectures:  # all of them before the first trains for hours
        check_model(single_run(comparison, name, comparison.runtime.seed).model)
    engine_module().check_config(comparison)
    # Each run has its own model and step function; TensorFlow would warn of the fifth.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in architectures}
    with Workdir(workdir, comparison) as folder:
        for names, seeds in _groups(architectures, seeds_of(comparison)):
            for name in names:
                print(f"\n== {name}, seed {', '.join(map(str, seeds))}", flush=True)
                keras.utils.clear_session()
                runs = [single_run(comparison, name, seed) for seed in seeds]
                folders = [folder.path / name / f"seed{seed}" for seed in seeds]
                results[name] += train_seeds(runs, folders)
                write_text(folder.path / "table.md", comparison_table(results) + "\n")
    return results


def seeds_of(comparison: Comparison) -> list[int]:
    """The seeds of the runs of each architecture."""
    first = comparison.runtime.seed
    return list(comparison.seeds) or list(range(first, first + comparison.repeats))


def _groups(
    architectures: Sequence[str], seeds: list[int]
) -> list[tuple[Sequence[str], list[int]]]:
    """Architectures and seeds in the order in which they are trained.

    On JAX all seeds of an architecture train at once. Elsewhere every architecture has its first
    seed before one has its second.
    """
    if keras.backend.backend() == "jax":
        return [(architectures, seeds)]
    return [(architectures, [seed]) for seed in seeds]


def single_run(comparison: Comparison, architecture: str, seed: int) -> Config:
    """The `Config` of one of the runs."""
    fields = {field.name: getattr(comparison, field.name) for field in dataclasses.fields(Config)}
    run = Config(**copy.deepcopy(fields))
    run.model.architecture = architecture
    run.model.arguments.update(comparison.demands.get(architecture, {}))
    run.runtime.seed = seed
    return run


def comparison_table(results: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """A Markdown table of the finished runs: mean and range of the accuracy over seeds."""
    lines = [
        "| architecture | parameters | test accuracy | lowest | highest | seeds | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, runs in results.items():
        if not runs:
            continue
        accuracy = [run["test"]["accuracy"] for run in runs]
        figures = statistics.mean(accuracy), min(accuracy), max(accuracy)
        seconds = statistics.median(run["wall_seconds"] for run in runs)
        lines.append(
            f"| {name} | {runs[0]['parameters']:,} | "
            + " | ".join(f"{figure:.2%}" for figure in figures)
            + f" | {len(runs)} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = compare_options(__doc__, arguments)
    try:
        results = compare(options.config, options.workdir)
    except Interrupted:
        leave_resumable()
    except LostWorker as error:
        print(error, file=sys.stderr)
        sys.exit(RESUMABLE)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"\n{comparison_table(results)}\n\nruns: {pathlib.Path(options.workdir).resolve()}")


if __name__ == "__main__":
    set_up_terminal()
    main()
