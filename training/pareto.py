"""Accuracy against cost: pictures of the models of a comparison, with the front of the best.

    python -m training.pareto --from runs/compare/results.json --output pareto

Draws the test accuracy of every model, the mean and the range over seeds, against its parameters
and against the minutes of its training. Minutes can be compared only where all runs had a core each
on the same machine. `--costs` adds multiply-accumulates and CPU milliseconds, which

    python -m benchmarks.latency --config PAGE --json costs.json

measures for the same page. A model on the front, with a filled mark, is beaten by none that is both
as cheap and as accurate. Means that differ by less than the range over seeds do not differ.
"""

from training.command_line import Arguments, pareto_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before Keras loads
    end_on_ctrl_c()
    pareto_options(__doc__)

import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_mlp.json_files import read_json
from keras_mlp.whole_files import made_folder
from training.compare import PROGRAM as COMPARE
from training.compare import by_architecture, comparison_table
from training.models.function_models import is_function
from training.program_end import clear_end
from training.reports.pareto_picture import Point, draw_pareto, front
from training.studies.results import read_results, with_diverged

# From the name of a cost, as in the names of files, to the label of its axis.
AXES = {
    "parameters": "parameters",
    "minutes": "minutes of training",
    "macs": "multiply-accumulates per image",
    "float32": "CPU ms per image, LiteRT float32",
    "int8": "CPU ms per image, LiteRT int8",
}
# Architectures of this package that are there to compare the MLPs with.
NOT_MLPS = ("ViT", "ConvMixer")
_FORMS = ("float32", "int8")
Costs = Mapping[str, Mapping[str, Any]]


def read_costs(file: str | pathlib.Path) -> Costs:
    """What `benchmarks.latency --json` wrote, by the name of the model.

    Raises:
        ValueError: the file is damaged, or of another program.
        FileNotFoundError: there is no such file.
    """
    found: dict[str, Mapping[str, Any]] = {}

    def read(run: Mapping[str, Any]) -> None:
        for each in run["results"]:
            found[each["architecture"]] = each
            _ = each["parameters"], each["macs"], *(each[form] for form in _FORMS)

    read_json(file, "Write it again with python -m benchmarks.latency --json.", read)
    return found


def points(runs: Sequence[Mapping[str, Any]], cost: str, costs: Costs | None = None) -> list[Point]:
    """A point for each model of a comparison whose cost is known.

    Args:
        runs: the dicts of `training.studies.results.run_record`.
        cost: a key of `AXES`.
        costs: of `read_costs`.

    Raises:
        ValueError: `costs` are of models of another size.
    """
    found = []
    for name, own in by_architecture(runs).items():
        value = _cost(name, own, cost, costs or {})
        if value is not None:
            accuracy = [run["test"]["accuracy"] for run in own]
            figures = statistics.mean(accuracy), min(accuracy), max(accuracy)
            label = with_diverged(name.rpartition(":")[2], own)
            found.append(
                Point(label, value, *figures, is_family=not (is_function(name) or name in NOT_MLPS))
            )
    return found


def _cost(name: str, own: Sequence[Mapping[str, Any]], cost: str, costs: Costs) -> float | None:
    if cost == "parameters":
        return float(own[0]["parameters"])
    if cost == "minutes":
        return statistics.median(run["wall_seconds"] for run in own) / 60
    if name not in costs:
        return None
    measured = costs[name]
    if measured["parameters"] != own[0]["parameters"]:
        raise ValueError(
            f"`--costs` are of a {name} of {measured['parameters']:,} parameters; the runs trained "
            f"one of {own[0]['parameters']:,}. Measure the costs of the page that was trained."
        )
    if cost == "macs":
        return float(measured["macs"])
    return float(measured[cost]["milliseconds"])


def draw_all(
    runs: Sequence[Mapping[str, Any]], costs: Costs | None, folder: pathlib.Path, stem: str
) -> dict[str, list[Point]]:
    """Draws `STEM_COST.svg` for every cost that is known of a model.

    Args:
        runs, costs: as for `points`.
        folder: an existing folder.
        stem: of the names of the files.

    Returns:
        A dict from each cost that was drawn to its points.
    """
    drawn = {cost: points(runs, cost, costs) for cost in AXES}
    drawn = {cost: known for cost, known in drawn.items() if known}
    for cost, known in drawn.items():
        title = f"Test accuracy against {AXES[cost]}, {len(known)} models"
        draw_pareto(folder / f"{stem}_{cost}.svg", known, AXES[cost], title)
    return drawn


def front_table(drawn: Mapping[str, Sequence[Point]]) -> str:
    """A Markdown table: the models on the front of each cost, the cheapest first."""
    lines = ["| cost | not beaten, the cheapest first |", "|---|---|"]
    for cost, known in drawn.items():
        names = ", ".join(f"{each.label} ({each.accuracy:.2%})" for each in front(known))
        lines.append(f"| {AXES[cost]} | {names} |")
    return "\n".join(lines)


def main(arguments: Arguments = None) -> None:
    options = pareto_options(__doc__, arguments)
    with clear_end():
        results = read_results(options.stored, COMPARE, comparison_table)
        if results is None:
            raise ValueError(f"`--from` {options.stored} is not a results.json of {COMPARE}.")
        costs = read_costs(options.costs) if options.costs else None
        folder = made_folder(options.output, "--output")
        drawn = draw_all(results["runs"], costs, folder, "pareto")
    print(f"{front_table(drawn)}\n\npictures: {folder.resolve()}")


if __name__ == "__main__":
    main()
