"""The pages of published recipes: each matches its source, and each trains."""

import pathlib
import re
import runpy

import pytest
import tensorflow as tf

from training.config import load_config
from training.dry_run import dry_run, report

RECIPES = pathlib.Path(__file__).parents[2] / "training" / "configs" / "recipes"
LARGEST = 6.5  # GiB
PAGES = sorted(path.stem for path in RECIPES.glob("*.py") if path.name != "__init__.py")

# As published. Warm-up is in steps (s) or epochs (e).
TRAINED = """
page                  variant     epochs batch optimizer rate  decay  warm-up from  to
mixer_in1k            B/16        300    4096  adamw     0.001 linear 10000s  0.0   0.0
mixer_in1k_big_vision B/16        300    4096  adamw     0.001 linear 10000s  0.0   1e-05
mixer_in21k           B/16        300    4096  adamw     0.001 linear 10000s  0.0   0.0
mixer_jft             S/32        5      4096  adamw     0.003 linear 10000s  0.0   0.0
mixer_finetune_224    B/16        8      512   sgd       0.03  cosine 500s    0.0   0.0
mixer_finetune_448    B/16        8      512   sgd       0.03  cosine 500s    0.0   0.0
vit_augreg_in21k      B/16        300    4096  adamw     0.001 cosine 10000s  0.0   0.0
vit_finetune_384      Ti/16       8      512   sgd       0.03  cosine 500s    0.0   0.0
deit                  S/16        300    1024  adamw     0.001 cosine 5e      1e-06 1e-05
resmlp                S12         400    2048  lamb      0.005 cosine 5e      1e-06 1e-05
gmlp                  S/16        300    4096  adamw     0.001 cosine 10000s  0.0   0.0
vision_permutator     S/7         310    2048  adamw     0.002 cosine 20e     1e-06 1e-05
repmlpnet             T224        100    256   adamw     0.001 cosine 10e     5e-07 0.0
ff_only               linear_tiny 300    1024  adamw     0.001 cosine 5e      1e-06 1e-05
"""
# Weight decay, clipping norm, loss and label smoothing; RandAugment's magnitude with its
# deviation, mixing, share of erased images, copies; drop path.
REGULARIZED = """
page                  decay clip loss    smoothing magnitude mixup cutmix erase repeats path
mixer_in1k            0.1   1.0  sigmoid 0.0       15+0.0    0.5   0.0    0.0   1       0.1
mixer_in1k_big_vision 0.1   1.0  sigmoid 0.0       15+0.0    0.5   0.0    0.0   1       0.1
mixer_in21k           0.1   1.0  sigmoid 0.0       10+0.0    0.2   0.0    0.0   1       0.1
mixer_jft             0.03  1.0  sigmoid 0.0       -         0.0   0.0    0.0   1       -
mixer_finetune_224    0.0   1.0  softmax 0.0       -         0.0   0.0    0.0   1       -
mixer_finetune_448    0.0   1.0  softmax 0.0       -         0.0   0.0    0.0   1       -
vit_augreg_in21k      0.1   1.0  sigmoid 0.0       15+0.0    0.2   0.0    0.0   1       -
vit_finetune_384      0.0   1.0  softmax 0.0       -         0.0   0.0    0.0   1       -
deit                  0.05  0.0  softmax 0.1       9+0.5     0.8   1.0    0.25  3       0.1
resmlp                0.2   1.0  softmax 0.1       9+0.5     0.8   1.0    0.25  3       0.05
gmlp                  0.05  1.0  softmax 0.1       -         0.8   1.0    0.0   1       0.05
vision_permutator     0.05  0.0  softmax 0.1       9+0.5     0.8   1.0    0.25  1       0.1
repmlpnet             0.1   5.0  softmax 0.1       14+0.0    0.4   1.0    0.0   1       -
ff_only               0.05  0.0  softmax 0.1       9+0.5     0.8   1.0    0.25  3       0.1
"""
# Scales of norms start at 1, where float32 loses steps below 3e-8: those of SGD on random
# weights, and of AdamW before gMLP's gates, whose kernels of 1e-6 are as small as the epsilon.
SMALL_STEPS = ("mixer_finetune_224", "mixer_finetune_448", "vit_finetune_384", "gmlp")


def rows(table):
    head, *lines = (line.split() for line in table.strip().splitlines())
    return {line[0]: dict(zip(head, line, strict=True)) for line in lines}


def load(page, *overrides):
    return load_config(RECIPES / f"{page}.py", overrides)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_trains_as_published(page):
    config = load(page)
    optimizer = config.optimizer
    steps = f"{optimizer.warmup_steps}s" if optimizer.warmup_steps else None
    found = {
        "page": page,
        "variant": config.model.variant,
        "epochs": config.epochs,
        "batch": config.data.batch_size,
        "optimizer": optimizer.name,
        "rate": optimizer.learning_rate,
        "decay": optimizer.schedule,
        "warm-up": steps or f"{optimizer.warmup_epochs}e",
        "from": optimizer.warmup_from,
        "to": optimizer.final_learning_rate,
    }
    assert {key: str(value) for key, value in found.items()} == rows(TRAINED)[page]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_regularizes_as_published(page):
    config = load(page)
    augment, optimizer = config.augment, config.optimizer
    randomly = augment.policy == "randaugment"
    found = {
        "page": page,
        "decay": optimizer.weight_decay,
        "clip": optimizer.clip_norm,
        "loss": optimizer.loss,
        "smoothing": optimizer.label_smoothing,
        "magnitude": f"{augment.magnitude}+{augment.magnitude_std}" if randomly else "-",
        "mixup": augment.mixup,
        "cutmix": augment.cutmix,
        "erase": augment.erase,
        "repeats": augment.repeats,
        "path": config.model.arguments.get("drop_path_rate", "-"),
    }
    assert {key: str(value) for key, value in found.items()} == rows(REGULARIZED)[page]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_gives_its_command_and_its_source(page):
    docstring = runpy.run_path(str(RECIPES / f"{page}.py"))["__doc__"]
    assert f"--config training/configs/recipes/{page}.py" in docstring
    assert "Values: " in docstring and "ifference" in docstring


def test_overrides_of_a_page_stay_off_the_pages_that_it_derives_from():
    changed = load("resmlp", "augment.mixup=0.1", "model.arguments.dropout_rate=0.2")
    assert (changed.augment.mixup, changed.model.arguments["dropout_rate"]) == (0.1, 0.2)
    assert load("resmlp").augment.mixup == load("deit").augment.mixup == 0.8
    assert "dropout_rate" not in load("resmlp").model.arguments


@pytest.fixture
def memory():
    """Skips if less memory is free than the largest page needs, as other tests run in parallel."""
    facts = pathlib.Path("/proc/meminfo")
    if facts.exists():
        free = (
            int(re.search(r"MemAvailable:\s*(\d+) kB", facts.read_text(encoding="utf-8"))[1])
            / 2**20
        )
        if free < LARGEST:
            pytest.skip(f"{free:.1f} GiB of memory are free, {LARGEST} may be needed")


@pytest.fixture
def eagerly():
    """Does not trace the step, which would triple the time; test_dry_run.py traces."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.sweep
@pytest.mark.xdist_group("full size")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_trains(page, memory, eagerly):
    """Two steps at full size. The dry run checks that losses and weights are finite."""
    config = load(page)
    found = dry_run(config)
    assert found["classes"] == (config.data.num_classes or 4)
    assert page in SMALL_STEPS or not found["unmoved"]
    assert all(path.endswith("/gamma") for path in found["unmoved"])
    assert found["loss"][0] != found["loss"][1]
    assert f"{found['parameters']:,} parameters" in report(config, found)
