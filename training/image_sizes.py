"""Trained models at other image sizes: what each way to get there is worth.

    python -m training.image_sizes --source runs/compare --workdir runs/image_sizes \\
        --config training/configs/image_sizes.py

The source is the folder of a comparison (`training.compare`). Each of its models, of the first
seed, is taken to each size by each method of `keras_mlp.with_image_shape`, judged, fine-tuned
briefly and judged again. A program that was stopped goes on where it was.
"""

import functools
import itertools
import json
import logging
import pathlib
import sys

import keras
import tqdm

import keras_mlp
from keras_mlp.arguments import check_choice, check_pair
from keras_mlp.whole_files import write_text
from training.command_line import parse_command_line
from training.config import ImageSizes, load_config
from training.data.pipeline import load_splits
from training.engine.tensorflow.evaluator import evaluate
from training.engine.tensorflow.fitting import fit
from training.engine.workdir import Workdir
from training.reports.pictures import draw_image_sizes
from training.reports.provenance import provenance


def image_sizes(config, source, workdir):
    """Judges every model at every size, by every method.

    Writes into the folder: `metrics.json`, `table.md` and `image_sizes.png`.

    Args:
        config: a checked `training.config.ImageSizes`.
        source: folder of a comparison, with `ARCHITECTURE/seedN/model.keras`.
        workdir: path of the run's folder.

    Returns:
        A list of dicts with `architecture`, `size`, `method`, `before` and `after`: accuracy on
        the test split before and after fine-tuning. The size that a model was trained at has the
        method "trained".

    Raises:
        ValueError: the source holds no such model, or the config does not fit.
    """
    files = _find_models(config, source)
    sizes = [check_pair("sizes", size) for size in config.sizes]
    folder = Workdir(workdir, config).path
    # Every model has a step function of its own; TensorFlow would warn of the fifth.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    done = _read(folder)
    trained = {name: keras.models.load_model(file) for name, file in files.items()}
    cases = _cases(trained, sizes, config.methods)
    open_splits = functools.lru_cache(maxsize=1)(functools.partial(load_splits, config.data))
    for case in tqdm.tqdm(sorted(cases, key=lambda case: case["size"]), unit="model"):
        if any(all(entry[key] == case[key] for key in case) for entry in done):
            continue
        done.append({**case, **_judge(trained[case["architecture"]], case, config, open_splits)})
        done.sort(key=lambda entry: cases.index({key: entry[key] for key in case}))
        _write(folder, done)
    draw_image_sizes(folder / "image_sizes.png", done)
    return done


def size_table(entries):
    """The entries as a Markdown table: accuracy before and after fine-tuning."""
    lines = [
        "| architecture | size | method | as it is | fine-tuned |",
        "|---|---|---|---:|---:|",
    ]
    for entry in entries:
        size = " x ".join(map(str, entry["size"]))
        accuracy = f"{entry['before']:.1%} | {entry['after']:.1%}"
        lines.append(f"| {entry['architecture']} | {size} | {entry['method']} | {accuracy} |")
    return "\n".join(lines)


def _find_models(config, source):
    files = {}
    for name in config.architectures:
        check_choice("architectures", name, keras_mlp.ARCHITECTURES)
        found = sorted(pathlib.Path(source).glob(f"{name}/seed*/model.keras"))
        if not found:
            raise ValueError(f"`--source` {source} holds no {name}/seedN/model.keras.")
        files[name] = found[0]
    return files


def _cases(trained, sizes, methods):
    """What is to be judged: every model at its own size first, then all that is possible."""
    cases, last_error = [], {}
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
    for value, error in last_error.items():
        if value not in possible:
            raise ValueError(f"No model can be taken to {value!r}: {error}")
    return cases


def _resized(model, size, method):
    image_shape = (*size, model.image_shape[-1])
    return keras_mlp.with_image_shape(model, image_shape, method=method)


def _judge(model, case, config, open_splits):
    """Accuracy on the test split, before and after fine-tuning."""
    keras.utils.set_random_seed(config.runtime.seed)
    method = "interpolate" if case["method"] == "trained" else case["method"]
    resized = _resized(model, case["size"], method)
    splits = open_splits(tuple(resized.image_shape))
    before = evaluate(resized, splits.test, config.data.batch_size)["accuracy"]
    decay = config.optimizer.layer_decay
    fit(resized, splits.train, config, seed=config.runtime.seed, layer_decay=decay)
    after = evaluate(resized, splits.test, config.data.batch_size)["accuracy"]
    return {"before": before, "after": after}


def _read(folder):
    file = folder / "metrics.json"
    return json.loads(file.read_text())["entries"] if file.exists() else []


def _write(folder, entries):
    metrics = {"entries": entries, **provenance()}
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    write_text(folder / "table.md", size_table(entries) + "\n")


def main(arguments=None):
    options = parse_command_line(
        "training.image_sizes", __doc__, ("source", "config", "workdir"), arguments
    )
    try:
        config = load_config(options.config, options.overrides, ImageSizes)
        entries = image_sizes(config, options.source, options.workdir)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(size_table(entries))


if __name__ == "__main__":
    main()
