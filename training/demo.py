"""Every stage, from data to transfer, on real data that needs no download: `make demo`.

Trains a small MLP-Mixer on handwritten digits, evaluates it on the test split, exports a
SavedModel, loads that in a new process and checks its outputs; then trains another model on the
digits 0 to 4 and fine-tunes its SavedModel on 5 to 9, which it has never seen.
"""

from training.command_line import Arguments, demo_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    demo_options(__doc__)

import json
import pathlib
import statistics
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_mlp.json_files import read_json_lines
from training.config import Config, FineTuneConfig, load_config
from training.data.pipeline import load_splits
from training.finetune import finetune
from training.program_end import clear_end
from training.program_process import program_command, program_environment
from training.reports.pictures import draw_run
from training.terminal import set_up_terminal
from training.train import train

CONFIGS = pathlib.Path(__file__).parent / "configs"


def demo(folder: str | pathlib.Path) -> None:
    """Runs every stage below `folder`, prints a table and writes `demo.png`."""
    folder = pathlib.Path(folder)
    began = time.monotonic()
    config: Config = load_config(CONFIGS / "digits.py")

    _stage("1/5 train on digits 0 to 9")
    metrics = train(config, folder / "digits")

    _stage("2/5 load the SavedModel in a new process, check its outputs, judge it")
    reloaded = _evaluate_in_new_process(folder / "digits" / "saved_model", CONFIGS / "digits.py")

    _stage("3/5 train on digits 0 to 4")
    source = train(load_config(CONFIGS / "digits_source.py"), folder / "digits_source")

    _stage("4/5 fine-tune that SavedModel on digits 5 to 9, ten images of each")
    transfer = finetune(
        load_config(CONFIGS / "digits_transfer.py", kind=FineTuneConfig),
        folder / "digits_source" / "features",
        folder / "digits_transfer",
    )

    _stage("5/5 draw")
    picture = folder / "demo.png"
    _draw(picture, folder / "digits", config, metrics["classes"])
    print(_table(metrics, reloaded, source, transfer))
    print(f"\npicture: {picture}\nSavedModel: {folder / 'digits' / 'saved_model'}")
    print(f"{time.monotonic() - began:.0f} s")


def _stage(title: str) -> None:
    print(f"\n== {title}", flush=True)


def _evaluate_in_new_process(saved_model: pathlib.Path, page: pathlib.Path) -> dict[str, Any]:
    command = program_command("training.evaluate")
    command += ["--source", str(saved_model), "--config", str(page)]
    done = subprocess.run(
        command, env=program_environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    evaluation: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return evaluation


def _draw(path: pathlib.Path, run: pathlib.Path, config: Config, classes: Sequence[str]) -> None:
    model = keras.models.load_model(run / "model.keras")
    test = load_splits(config.data, model.image_shape).test
    images, labels = test.first(32)
    history = read_json_lines(run / "history.jsonl", "Remove the folder and run the demo again.")
    draw_run(path, history, images, labels, np.asarray(model(images)), classes)


def _table(
    metrics: dict[str, Any],
    reloaded: dict[str, Any],
    source: dict[str, Any],
    transfer: dict[str, Any],
) -> str:
    seconds, parameters = metrics["wall_seconds"], metrics["parameters"]
    rows = [
        ("digits 0 to 9, test", f"{metrics['test']['accuracy']:.2%}"),
        ("the same, SavedModel in a new process", f"{reloaded['accuracy']:.2%}"),
        ("largest difference to the golden outputs", f"{reloaded['golden_difference']:.1e}"),
        ("parameters; seconds of training", f"{parameters:,}; {seconds:.0f}"),
        ("digits 0 to 4, test", f"{source['test']['accuracy']:.2%}"),
    ]
    for way, values in transfer["accuracy"].items():
        rows.append((f"digits 5 to 9 from 10 images each, {way}", f"{statistics.mean(values):.2%}"))
    return "\n" + "\n".join(f"{name:48}{value:>16}" for name, value in rows)


def main(arguments: Arguments = None) -> None:
    options = demo_options(__doc__, arguments)
    with clear_end():
        demo(options.folder)


if __name__ == "__main__":
    set_up_terminal()
    main()
