"""A comparison, an evaluation and a fine-tuning on JAX, one after the other in one process."""

import json
import pathlib

from training.compare import compare
from training.config import Augment, Comparison, Data, FineTuneConfig, Model, Optimizer, Runtime
from training.evaluate import evaluate_source
from training.finetune import finetune

SMALL = {"image_shape": (8, 8, 1), "num_layers": 1, "hidden_dim": 16, "channel_mlp_dim": 32}


def main(folder: str) -> None:
    root = pathlib.Path(folder)
    sections = {
        "data": Data(name="digits", batch_size=128, validation_percent=0),
        "augment": Augment(shift=1),
        "optimizer": Optimizer(learning_rate=5e-3),
        "runtime": Runtime(steps_per_loop=12, profile=True),
    }
    page = Comparison(
        epochs=1,
        model=Model(variant="pico/2", arguments=SMALL),
        architectures=("MLPMixer",),
        seeds=(3, 5),
        **sections,
    )
    compare(page, root / "compare")
    model = root / "compare" / "MLPMixer" / "seed3" / "model.keras"
    evaluation = evaluate_source(model, page)
    page.runtime.profile = False
    sections["data"].classes = (5, 6, 7)
    tuning = FineTuneConfig(epochs=1, repeats=1, **sections)
    metrics = finetune(tuning, model, root / "tuned")
    (root / "results.json").write_text(
        json.dumps({"evaluated": evaluation["accuracy"], "tuned": metrics["accuracy"]})
    )
