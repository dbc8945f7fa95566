"""Compares one model for all image sizes with resized models and with a model for each size:

    python -m training.any_size --config training/configs/any_size.py --workdir runs/any_size \
        --jobs 2

For every architecture and seed, trains the page's model over `data.image_sizes` ("flexible"), the
same model at its own size alone ("resized": its weights are resized to each test size), and one
model at each of `separate_sizes` ("separate", the ceiling), on equal budgets. Each is evaluated at
every test size. With BatchNorm the flexible model is also evaluated with statistics of each size
("recalibrated": `keras_mlp.recalibrate` on the training images). `--jobs 2` trains two runs at a
time, each in a process with one core. A run that was stopped continues where it was.
"""

from training.command_line import Arguments, any_size_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    any_size_options(__doc__)

import copy
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

import keras_mlp
from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.json_files import write_json
from keras_mlp.recalibrate import has_batch_norm
from keras_mlp.whole_files import write_text
from training.compare import seeds_of, single_run
from training.config import AnySize, Config
from training.engine.chosen import engine_module
from training.engine.sizes import check_sizes
from training.engine.workdir import Workdir
from training.models.from_config import model_image_shape
from training.program_end import clear_end
from training.reports.mean_and_range import mean_and_range
from training.reports.pictures import draw_any_size
from training.reports.provenance import provenance
from training.studies.parallel import check_jobs, train_in_processes
from training.studies.results import read_entries
from training.terminal import many_models, set_up_terminal
from training.train import train


def any_size(page: AnySize, workdir: str | pathlib.Path, *, jobs: int = 0) -> list[dict[str, Any]]:
    """Trains and evaluates every model.

    Writes into the folder: the runs, in `ARCHITECTURE/seedN/WAY/`; `metrics.json`, `table.md`,
    `lost.md` (see `lost_table`) and `any_size.png`.

    Args:
        page: a checked `training.config.AnySize`.
        workdir: path of the folder.
        jobs: number of runs at a time, each in a process with one core and one thread; 0 for one
            run after the other in this process, with all its cores.

    Returns:
        A list of dicts with `architecture`, `seed`, `way`, `size` and `accuracy` on the test split.

    Raises:
        ValueError: a size does not fit a model, or the config does not fit the data or the folder.
        FloatingPointError: the loss of a run is not finite.
        RuntimeError: a run in a process of its own failed.
        Interrupted: SIGTERM came; a checkpoint of the current runs was saved.
    """
    if jobs:
        check_jobs(jobs)
    runs = list(_runs(page))  # all are checked before the first trains for hours
    with Workdir(workdir, page) as owned, many_models():
        folder = owned.path
        done = read_entries(folder, any_size_table)
        due = {}
        for case, config, sizes in runs:
            left = [size for size in sizes if {**case, "size": list(size)} not in map(_case, done)]
            if left:
                due[_place(folder, case, sizes)] = (case, config, left)

        def judge(place: pathlib.Path) -> None:
            done.extend(_judged(place, *due[place]))
            _write(folder, _in_order(done, runs), own_size(page))

        if jobs:
            train_in_processes([(due[place][1], place, 0.0) for place in due], jobs, judge)
        else:
            for place, (case, config, _) in due.items():
                print(f"\n== {' '.join(map(str, case.values()))}", flush=True)
                keras.utils.clear_session()
                train(config, place)
                judge(place)
        done = _in_order(done, runs)
        draw_any_size(folder / "any_size.png", done)
    return done


def _place(
    folder: pathlib.Path, case: Mapping[str, Any], sizes: Sequence[tuple[int, int]]
) -> pathlib.Path:
    """The folder of a run."""
    place = folder / case["architecture"] / f"seed{case['seed']}" / case["way"]
    return place / "x".join(map(str, sizes[0])) if case["way"] == "separate" else place


def _judged(
    place: pathlib.Path,
    case: Mapping[str, Any],
    config: Config,
    sizes: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Evaluates a finished run; an entry for each size."""
    print(f"{place} is finished.", flush=True)
    keras.utils.clear_session()
    model = keras.models.load_model(place / "model.keras")
    found = [{**case, "size": list(size), **_judge(model, size, config)} for size in sizes]
    if case["way"] == "flexible" and has_batch_norm(model):
        case = {**case, "way": "recalibrated"}
        for size in sizes:
            own = _recalibrated(model, size, config)
            found.append({**case, "size": list(size), **_judge(own, size, config)})
    return found


def _in_order(
    entries: list[dict[str, Any]],
    runs: Sequence[tuple[dict[str, Any], Config, list[tuple[int, int]]]],
) -> list[dict[str, Any]]:
    """The entries in the order of the page, whichever run finished first."""
    cases = [_key({**case, "size": size}) for case, _, sizes in runs for size in sizes]

    def place(entry: Mapping[str, Any]) -> tuple[int, bool]:
        recalibrated = entry["way"] == "recalibrated"
        of_run = {**entry, "way": "flexible"} if recalibrated else entry
        return cases.index(_key(of_run)), recalibrated

    return sorted(entries, key=place)


def _write(folder: pathlib.Path, entries: list[dict[str, Any]], own: tuple[int, int]) -> None:
    write_json(folder / "metrics.json", {"entries": entries, **provenance()})
    write_text(folder / "table.md", any_size_table(entries) + "\n")
    write_text(folder / "lost.md", lost_table(entries, own) + "\n")


def any_size_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: mean accuracy over the seeds, a column for each size."""
    sizes = sorted({tuple(entry["size"]) for entry in entries})
    names = " | ".join(" x ".join(map(str, size)) for size in sizes)
    lines = [f"| architecture | way | {names} |", "|---|---|" + "---:|" * len(sizes)]
    rows = dict.fromkeys((entry["architecture"], entry["way"]) for entry in entries)
    for architecture, way in rows:
        cells = []
        for size in sizes:
            case = (architecture, way, list(size))
            found = [
                entry["accuracy"]
                for entry in entries
                if (entry["architecture"], entry["way"], entry["size"]) == case
            ]
            cells.append(f"{statistics.mean(found):.1%}" if found else "-")
        lines.append(f"| {architecture} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def lost_table(
    entries: Sequence[Mapping[str, Any]], own: tuple[int, int], way: str = "flexible"
) -> str:
    """A Markdown table: the points that one model for all sizes loses to one for each size.

    Args:
        entries: as `any_size` returns them.
        own: the models' own size, at which the "resized" model is the one for this size.
        way: of the model for all sizes.

    Returns:
        Percentage points: the mean over the seeds that have both models, and the range if there are
        several. Negative where the model for all sizes is better.
    """
    found = {_key(entry): entry["accuracy"] for entry in entries}
    sizes = sorted(
        {tuple(entry["size"]) for entry in entries if entry["way"] == "separate"} | {own}
    )
    names = " | ".join(" x ".join(map(str, size)) for size in sizes)
    lines = [f"| points lost | {names} |", "|---|" + "---:|" * len(sizes)]
    for architecture in dict.fromkeys(entry["architecture"] for entry in entries):
        cells = []
        for size in sizes:
            ceiling = "resized" if size == own else "separate"
            pairs = [
                (accuracy, found[name, seed, way, other])
                for (name, seed, each, other), accuracy in found.items()
                if (name, each, other) == (architecture, ceiling, size)
                and (name, seed, way, other) in found
            ]
            points = [100 * (one - other) for one, other in pairs]
            cells.append(mean_and_range(points, ".1f") if points else "-")
        lines.append(f"| {architecture} | {' | '.join(cells)} |")
    return "\n".join(lines)


def own_size(page: AnySize) -> tuple[int, int]:
    """Height and width of the images that the models are built for."""
    height, width, _ = model_image_shape(page.model)
    return height, width


def _key(entry: Mapping[str, Any]) -> tuple[str, int, str, tuple[int, ...]]:
    return entry["architecture"], entry["seed"], entry["way"], tuple(entry["size"])


def _runs(page: AnySize) -> Iterator[tuple[dict[str, Any], Config, list[tuple[int, int]]]]:
    """Every run: what it is, its config, and the sizes that it is evaluated at."""
    architectures = page.architectures or tuple(keras_mlp.ARCHITECTURES)
    for name in architectures:
        check_choice("architectures", name, keras_mlp.ARCHITECTURES)
    if not page.data.image_sizes:
        raise ValueError("`data.image_sizes` is empty: it lists the sizes of the flexible model.")
    sizes = [check_pair("sizes", size) for size in page.sizes]
    for seed in seeds_of(page):
        for name in architectures:
            flexible = single_run(page, name, seed)
            check_sizes(flexible)
            every = copy.deepcopy(flexible)
            every.data.image_sizes = tuple(sizes)
            check_sizes(every, "sizes")
            plain = copy.deepcopy(flexible)
            plain.data.image_sizes, plain.model.patch_sizes = (), ()
            case = {"architecture": name, "seed": seed}
            if "flexible" in page.ways:
                yield {**case, "way": "flexible"}, flexible, sizes
            if "resized" in page.ways:
                yield {**case, "way": "resized"}, plain, sizes
            for size in page.separate_sizes:
                own = copy.deepcopy(plain)
                pair = check_pair("separate_sizes", size)
                channels = model_image_shape(own.model)[-1]
                own.model.arguments["image_shape"] = (*pair, channels)
                yield {**case, "way": "separate"}, own, [pair]


def _judge(model: keras_mlp.VisionModel, size: tuple[int, int], config: Config) -> dict[str, float]:
    """Accuracy on the test split at one size, without fine-tuning."""
    engine = engine_module()
    shape = (*size, model.image_shape[-1])
    splits = engine.load_splits(config.data, shape)
    found = engine.evaluate(model.at(shape), splits.test, config.data.batch_size)
    return {"accuracy": found["accuracy"]}


def _recalibrated(
    model: keras_mlp.VisionModel, size: tuple[int, int], config: Config
) -> keras_mlp.VisionModel:
    """A model of one size, with BatchNorm statistics of all training images, not augmented."""
    own = keras_mlp.with_image_shape(model, (*size, model.image_shape[-1]))
    split = engine_module().load_splits(config.data, own.image_shape).train
    batches = split.batches(config.data.batch_size)
    # Labels of -1 fill up the last batch, or are those of damaged pictures.
    kept = (images[labels >= 0] for images, labels in batches)
    keras_mlp.recalibrate(own, (images for images in kept if len(images)))
    return own


def _case(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("architecture", "seed", "way", "size")}


def main(arguments: Arguments = None) -> None:
    options = any_size_options(__doc__, arguments)
    with clear_end(RuntimeError):
        entries = any_size(options.config, options.workdir, jobs=options.jobs)
    print(f"{any_size_table(entries)}\n\n{lost_table(entries, own_size(options.config))}")


if __name__ == "__main__":
    set_up_terminal()
    main()
