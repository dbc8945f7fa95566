"""Fine-tuning on a folder of pictures on JAX, and an evaluation on the same folder."""

import json
import pathlib

from tests.training.blank_pictures import blank_pictures
from training import finetune
from training.evaluate import evaluate_source


def main(pictures: str, run: str, source: str) -> None:
    options = [
        "--epochs",
        "8",
        "--set",
        "optimizer.learning_rate=0.01",
        "--set",
        "augment.crop=0.8",
    ]
    with blank_pictures():
        finetune.main(["--folder", pictures, "--workdir", run, "--source", source, *options])
    evaluation = evaluate_source(run, folder=pictures)
    (pathlib.Path(run) / "evaluated.json").write_text(json.dumps(evaluation["accuracy"]))
