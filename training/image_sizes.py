"""Measures the accuracy of trained models at other image sizes, for each method of resizing.

    python -m training.image_sizes --source runs/compare --workdir runs/image_sizes \\
        --config training/configs/image_sizes.py

The source is the folder of a comparison (`training.compare`). Each of its models with the first
seed is resized to each size by each method of `keras_mlp.with_image_shape`, evaluated, fine-tuned
briefly and evaluated again. A run that was stopped continues where it was.
"""

from training.command_line import Arguments, image_sizes_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    image_sizes_options(__doc__)

import functools
import itertools
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import tqdm

import keras_mlp
from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.json_files import write_json
from keras_mlp.whole_files import write_text
from training.config import ImageSizes
from training.engine.chosen import Splits, engine_module
from training.engine.workdir import Workdir
from training.program_end import clear_end
from training.reports.pictures import draw_image_sizes
from training.reports.provenance import provenance
from training.studies.results import check_same_source, read_entries
from training.terminal import many_models, set_up_terminal


def image_sizes(
    config: ImageSizes, source: str | pathlib.Path, workdir: str | pathlib.Path
) -> list[dict[str, Any]]:
    """Evaluates every model at every size, by every method.

    Writes into the folder: `metrics.json`, `table.md` and `image_sizes.png`.

    Args:
        config: a checked `training.config.ImageSizes`.
        source: folder of a comparison, with `ARCHITECTURE/seedN/model.keras`; of several seeds,
            the model of the first is taken.
        workdir: path of the run's folder.

    Returns:
        A list of dicts with `architecture`, `size`, `method`, `before` and `after`: accuracy on
        the test split before and after fine-tuning. The size that a model was trained at has the
        method "trained".

    Raises:
        ValueError: the source lacks a model, the config does not fit, or the folder holds the
            results of another source.
    """
    files = _find_models(config, source)
    sizes = [check_pair("sizes", size) for size in config.sizes]
    with Workdir(workdir, config) as owned, many_models():
        folder = owned.path
        done = read_entries(folder, size_table)
        check_same_source(folder, source, "entries")
        trained = {name: keras.models.load_model(file) for name, file in files.items()}
        cases = _cases(trained, sizes, config.methods)
        open_splits = functools.lru_cache(maxsize=1)(
            functools.partial(engine_module().load_splits, config.data)
        )
        for case in tqdm.tqdm(sorted(cases, key=lambda case: case["size"]), unit="model"):
            if any(all(entry[key] == case[key] for key in case) for entry in done):
                continue
            model = trained[case["architecture"]]
            done.append({**case, **_judge(model, case, config, open_splits)})
            done.sort(key=lambda entry: cases.index({key: entry[key] for key in case}))
            _write(folder, str(source), done)
        draw_image_sizes(folder / "image_sizes.png", done)
        return done


def size_table(entries: Iterable[Mapping[str, Any]]) -> str:
    """A Markdown table of the entries: accuracy before and after fine-tuning."""
    lines = [
        "| architecture | size | method | as it is | fine-tuned |",
        "|---|---|---|---:|---:|",
    ]
    for entry in entries:
        size = " x ".join(map(str, entry["size"]))
        accuracy = f"{entry['before']:.1%} | {entry['after']:.1%}"
        lines.append(f"| {entry['architecture']} | {size} | {entry['method']} | {accuracy} |")
    return "\n".join(lines)


def _find_models(config: ImageSizes, source: str | pathlib.Path) -> dict[str, pathlib.Path]:
    files = {}
    for name in config.architectures:
        check_choice("architectures", name, keras_mlp.ARCHITECTURES)
        found = {
            int(file.parent.name.removeprefix("seed")): file
            for file in pathlib.Path(source).glob(f"{name}/seed*/model.keras")
            if file.parent.name.removeprefix("seed").isdecimal()
        }
        if not found:
            raise ValueError(f"`--source` {source} holds no {name}/seedN/model.keras.")
        files[name] = found[min(found)]
    return files


def _cases(
    trained: Mapping[str, keras_mlp.VisionModel],
    sizes: Sequence[tuple[int, int]],
    methods: Sequence[str],
) -> list[dict[str, Any]]:
    """The cases to judge: every model at its own size first, then every possible change."""
    cases: list[dict[str, Any]] = []
    last_error: dict[tuple[int, int] | str, ValueError] = {}
    for name, model in trained.items():
        own = model.image_shape[:2]
        cases.append({"architecture": name, "size": list(own), "method": "trained"})
        for size, method in itertools.product(sizes, methods):
            try:
                _resized(model, size, method)
            except ValueError as error:
                last_error[size] = last_error[method] = error
            else:
                cases.append({"architecture": name, "size": list(size), "method": method})
    possible = {tuple(case["size"]) for case in cases} | {case["method"] for case in cases}
    for value, reason in last_error.items():
        if value not in possible:
            raise ValueError(f"No model can be resized to {value!r}: {reason}")
    return cases


def _resized(
    model: keras_mlp.VisionModel, size: Sequence[int], method: str
) -> keras_mlp.VisionModel:
    image_shape = (*size, model.image_shape[-1])
    return keras_mlp.with_image_shape(model, image_shape, method=method)


def _judge(
    model: keras_mlp.VisionModel,
    case: Mapping[str, Any],
    config: ImageSizes,
    open_splits: Callable[[tuple[int, int, int]], Splits],
) -> dict[str, float]:
    """Accuracy on the test split, before and after fine-tuning."""
    keras.utils.set_random_seed(config.runtime.seed)
    method = "interpolate" if case["method"] == "trained" else case["method"]
    resized = _resized(model, case["size"], method)
    splits = open_splits(tuple(resized.image_shape))
    engine = engine_module()
    before = engine.evaluate(resized, splits.test, config.data.batch_size)["accuracy"]
    decay = config.optimizer.layer_decay
    engine.fit_briefly(resized, splits.train, config, seed=config.runtime.seed, layer_decay=decay)
    after = engine.evaluate(resized, splits.test, config.data.batch_size)["accuracy"]
    return {"before": before, "after": after}


def _write(folder: pathlib.Path, source: str, entries: Sequence[Mapping[str, Any]]) -> None:
    metrics = {"source": source, "entries": entries, **provenance()}
    write_json(folder / "metrics.json", metrics)
    write_text(folder / "table.md", size_table(entries) + "\n")


def main(arguments: Arguments = None) -> None:
    options = image_sizes_options(__doc__, arguments)
    with clear_end():
        entries = image_sizes(options.config, options.source, options.workdir)
    print(size_table(entries))


if __name__ == "__main__":
    set_up_terminal()
    main()
