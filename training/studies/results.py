"""The results of a study in one JSON file, from which its tables are written again."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras_mlp.json_files import json_text, read_json
from keras_mlp.whole_files import write_text

RESULTS_FILE = "results.json"
# Of the processor's features: those that set the speed of matrix products.
_SHOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx", "sve")
_OF_A_RUN = ("date", "commit", "backend", "python", "versions", "hardware")


def run_record(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What a results file holds of a run.

    Args:
        metrics: the dict in the run's `metrics.json`.

    Returns:
        A dict: `architecture` and `seed`; `parameters`; `steps`; `train_examples`, the number of
        different images; `images_seen`, with repetitions; `test`, `diverged` and `wall_seconds` as
        in `metrics.json`; and where, when and with which versions it ran.
    """
    config = metrics["config"]
    return {
        "architecture": config["model"]["architecture"],
        "seed": config["runtime"]["seed"],
        "parameters": metrics["parameters"],
        "steps": metrics["steps"],
        "train_examples": metrics["train_examples"],
        "images_seen": metrics["steps"] * config["data"]["batch_size"],
        "test": metrics["test"],
        "diverged": metrics.get("diverged"),
        "wall_seconds": metrics["wall_seconds"],
        **{key: metrics[key] for key in _OF_A_RUN},
    }


def read_entries(
    folder: pathlib.Path,
    table: Callable[[Sequence[Mapping[str, Any]]], str],
) -> list[dict[str, Any]]:
    """The entries in a folder's `metrics.json`, of a study that was stopped; none without it.

    Args:
        folder: of the study.
        table: function from entries to Markdown; it raises for what is not an entry.

    Raises:
        ValueError: the file is damaged.
    """
    file = folder / "metrics.json"
    if not file.exists():
        return []
    way_out = "Remove it to judge every model again."
    metrics = read_json(file, way_out, lambda metrics: table(metrics["entries"]))
    entries: list[dict[str, Any]] = metrics["entries"]
    return entries


def check_same_source(folder: pathlib.Path, source: str | pathlib.Path, results: str) -> None:
    """Raises ValueError if a folder's `metrics.json` is of another source.

    Args:
        folder: of the run.
        source: that of the command.
        results: key of the results, without which the file is damaged.
    """
    file = folder / "metrics.json"
    if not file.exists():
        return
    metrics = read_json(file, "Choose another folder.", lambda metrics: metrics[results])
    there = metrics.get("source", str(source))  # earlier versions of some programs do not say
    if there != str(source):
        raise ValueError(
            f"`--workdir` {folder} holds the results of another source ({there}). Choose another "
            "folder."
        )


def with_diverged(text: str, runs: Iterable[Mapping[str, Any]]) -> str:
    """A cell of a table, which says how many of the runs in it have diverged."""
    count = sum(bool(run.get("diverged")) for run in runs)  # earlier versions do not say
    return f"{text}, {count} diverged" if count else text


def write_results(
    path: str | pathlib.Path,
    program: str,
    config: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    **more: Any,
) -> None:
    """Writes a results file, whole or not at all.

    Args:
        path: of the file.
        program: such as "training.compare".
        config: the page of the study, as `training.engine.stored_config.as_stored` returns it.
        runs: the dicts of `run_record`, possibly with further keys.
        **more: further keys of the file.
    """
    # One line for each run: with `indent`, a run would take fifty.
    head = json_text({"program": program, "config": config, **more}, indent=1)
    lines = ",\n".join(f"  {json_text(run)}" for run in runs)
    write_text(path, head.removesuffix("\n}") + f',\n "runs": [\n{lines}\n ]\n}}\n')


def read_results(
    path: str | pathlib.Path,
    program: str,
    check: Callable[[Sequence[Mapping[str, Any]]], object],
) -> dict[str, Any] | None:
    """Reads a results file of a program; None for a JSON file of something else.

    Args:
        path: of the file.
        program: such as "training.compare".
        check: function of the runs. An error in it means that the file is damaged.

    Raises:
        ValueError: the file is damaged.
        FileNotFoundError: there is no such file.
    """
    found: list[dict[str, Any]] = []

    def of_program(results: Any) -> None:
        if isinstance(results, dict) and results.get("program") == program:
            check(results["runs"])
            caption(results)
            found.append(results)

    way_out = "Restore it, or give the command again that wrote it: finished runs are kept."
    read_json(path, way_out, of_program)
    return found[0] if found else None


def stored_results(
    files: Iterable[str | pathlib.Path],
    program: str,
    table: Callable[[Sequence[Mapping[str, Any]]], str],
) -> str:
    """The tables of results files of a program, each with its origin; others are left out.

    Args:
        files: paths.
        program: such as "training.compare".
        table: function from the runs of a file to its table.

    Raises:
        ValueError: a file is damaged, or none is of this program.
        FileNotFoundError: a file does not exist.
    """
    tables = [
        f"{table(results['runs'])}\n\n{caption(results)}"
        for file in files
        if (results := read_results(file, program, table))
    ]
    if not tables:
        raise ValueError(f"`--from` names no results.json of {program}.")
    return "\n\n".join(tables)


def caption(results: Mapping[str, Any]) -> str:
    """One line on where the runs of a results file come from."""
    runs = results["runs"]
    days = sorted({run["date"][:10] for run in runs})
    parts = [
        f"{len(runs)} run(s)",
        " to ".join(dict.fromkeys([days[0], days[-1]])),
        "commit " + ", ".join(dict.fromkeys(str(run["commit"]) for run in runs)),
        "; ".join(dict.fromkeys(_machine(run["hardware"]) for run in runs)),
        "; ".join(dict.fromkeys(_software(run) for run in runs)),
    ]
    return "; ".join(parts) + "."


def _machine(hardware: Mapping[str, Any]) -> str:
    gpus = ", ".join(str(gpu["device_name"]) for gpu in hardware["gpus"])
    shown = [name for name in hardware["cpu_features"] if name.startswith(_SHOWN)]
    features = f" with {', '.join(shown)}" if shown else ""
    cpu = f"{hardware['cpu']}{features}, {hardware['cores']} core(s)"
    return f"{gpus}; {cpu}" if gpus else cpu


def _software(run: Mapping[str, Any]) -> str:
    names = (run["backend"], "keras")
    return ", ".join(f"{name} {run['versions'][name]}" for name in names)
