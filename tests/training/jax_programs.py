"""A comparison, an evaluation, other image sizes and a fine-tuning on JAX, in one process."""

import json
import pathlib

from tests.training.blank_pictures import blank_pictures
from training.compare import compare
from training.config import (
    Augment,
    Comparison,
    Data,
    FineTuneConfig,
    ImageSizes,
    Model,
    Optimizer,
    Runtime,
)
from training.evaluate import evaluate_source
from training.finetune import finetune
from training.image_sizes import image_sizes

SMALL = {"image_shape": (8, 8, 1), "num_layers": 1, "hidden_dim": 16, "channel_mlp_dim": 32}


def main(folder: str) -> None:
    with blank_pictures():
        run_programs(pathlib.Path(folder))


def run_programs(root: pathlib.Path) -> None:
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
    other = ImageSizes(
        epochs=1,
        architectures=("MLPMixer",),
        sizes=((12, 8),),
        methods=("interpolate",),
        **sections,
    )
    sizes = image_sizes(other, root / "compare", root / "sizes")
    sections["data"].classes = (5, 6, 7)
    tuning = FineTuneConfig(epochs=1, repeats=1, **sections)
    metrics = finetune(tuning, model, root / "tuned")
    (root / "results.json").write_text(
        json.dumps(
            {"evaluated": evaluation["accuracy"], "tuned": metrics["accuracy"], "sizes": sizes}
        )
    )
