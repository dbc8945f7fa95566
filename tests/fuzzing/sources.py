"""Inputs for what opens trained models of any kind, and for newer formats."""

import json
import os
import shutil
from unittest import mock

import numpy as np

import keras_mlp
from keras_mlp import MLPMixer
from keras_mlp.formats import export_openvino
from tests.fuzzing.calls import marked, paths
from tests.fuzzing.draw import TEXTS, call_shown, shown
from tests.fuzzing.files import named_path, odd_paths
from tests.fuzzing.inputs import Input
from tests.fuzzing.material import ARTEFACT

READ = (ValueError, OSError, ImportError)
# No address names a repository that exists: none is asked for.
ADDRESSES = (
    *("hf://", "hf://a", "hf:///", "hf://a/", "hf://a/b/c", "hf://a b/c", "hf://a/b@", "HF://a/b"),
    *("hf://a/b?c", "hf://../..", "hf://é/b", "kaggle://", "kaggle://a/b", "kaggle://a/b/c/d/e/f"),
    *("kaggle://a//c/d", "kaggle://a/b/keras/", "http://a/b", "file:///etc/passwd", "s3://a/b"),
    *(f"hf://a/{'b' * 300}", "hf://a\nb/c", "hf://%s/{}"),
)


def hub(draw, material, folder):
    """Addresses of hubs that no repository can have."""
    address = draw.one(ADDRESSES)
    if draw.chance(0.2):
        address = draw.one(("hf://", "kaggle://")) + draw.one(TEXTS).replace("/", "")
    plausible = {
        "image_shape": [(16, 24, 3), (8, 8)],
        "num_classes": [5, 0],
        "variant": ["pico/2"],
        "file": ["no.npz"],
        "ema": [True],
        "cache_dir": [folder],
    }
    arguments, names = draw.changed({"preset": address, "verbose": False}, plausible, 1)

    def call():
        with mock.patch.dict(os.environ, HF_HUB_OFFLINE="1"):
            return MLPMixer.from_preset(**arguments)

    given = Input(call, call_shown("MLPMixer.from_preset", arguments), marked(names), errors=READ)
    return named_path(given, arguments["preset"])


def load_saved_model(draw, material, folder):
    """A SavedModel of ours, damaged, as a model again."""
    path = folder / "saved"
    shutil.copytree(material.saved_model, path)
    names = ("keras_mlp.json", "saved_model.pb", "variables/variables.index")
    file = path / draw.one((*names, "variables/variables.data-00000-of-00001"))
    if file.suffix == ".json" and draw.chance(0.7):
        file.write_text(json.dumps(draw.damaged_tree(json.loads(file.read_text()))))
    elif draw.chance(0.8):
        file.write_bytes(draw.damaged(file.read_bytes()))
    given = path
    if draw.chance(0.3):
        given = draw.one(odd_paths(folder)) if draw.chance(0.5) else draw.wild()
    made = Input(
        lambda: keras_mlp.load_saved_model(given),
        f"load_saved_model({shown(given)}), {file.name} damaged",
        ["`path`", file.name, "SavedModel"],
        lambda model: model(np.zeros((1, 16, 24, 3), "uint8")),
        errors=READ,
        unchanged=[path],
    )
    return named_path(made, given)


def starting_point(draw, material, folder):
    """What `training.finetune` starts from: files, runs, artefacts, SavedModels and presets."""
    from training.config import Transfer
    from training.models.starting_points import open_starting_point

    path = folder / draw.one(("m.keras", "run", "saved"))
    if path.suffix:
        content = material.keras_file.read_bytes()
        path.write_bytes(content if draw.chance(0.3) else draw.damaged(content))
    elif path.name == "run":
        shutil.copytree(material.run, path)
        (path / "model.keras").write_bytes(draw.damaged(material.keras_file.read_bytes()))
    else:
        shutil.copytree(material.saved_model, path)
        file = path / draw.one(("keras_mlp.json", "saved_model.pb"))
        file.write_bytes(draw.damaged(file.read_bytes()))
    source = path
    if draw.chance(0.4):
        odd = [each for each in odd_paths(folder) if not isinstance(each, bytes)]
        source = draw.one((*odd, ARTEFACT, "mixer_b16", "hf://a", *TEXTS[:30]))
    transfer = Transfer()
    plausible = {
        "freeze_through": ["", "stem", "block_0", "block_9", "head"],
        "layer_decay": [0.5, 1.0],
        "lora_rank": [0, 2, 10**6],
    }
    names = draw.random.sample(sorted(plausible), draw.random.randrange(2))
    for name in names:
        setattr(transfer, name, draw.one(plausible[name]))

    def check(model):
        assert model.output_shape[-1] == 3 and model.trainable_weights

    given = Input(
        lambda: open_starting_point(source, transfer).build("fine-tuned", 3),
        f"open_starting_point({shown(source)}, {names})",
        ["`--source`", path.name, *(f"`transfer.{name}`" for name in names), "source"],
        check,
        errors=READ,
        unchanged=[path],
    )
    return given


def openvino(draw, material, folder):
    output = folder / "out"
    plausible = {
        "model": [*material.plain[1:], material.plain_mixer],
        "path": paths(output, "vino")[4:],
        "quantize": ["int8", "int4", True],
        "calibration_images": [np.zeros((2, 16, 24, 3), "uint8"), folder / "no", folder, []],
        "deployed": [1],
        "overwrite": ["no"],
    }
    arguments, names = draw.changed(
        {"model": material.toy("ResMLP"), "path": output / "vino"}, plausible
    )
    given = Input(
        lambda: export_openvino(**arguments),
        call_shown("export_openvino", arguments),
        [*marked([*names, "quantize", "calibration_images"]), "installed"],
        errors=READ,
        output=output,
    )
    return named_path(given, arguments["path"])


ENTRY_POINTS = {
    "from_preset of a hub": (hub, 30),
    "load_saved_model": (load_saved_model, 20),
    "finetune: starting points": (starting_point, 30),
    "export_openvino": (openvino, 16),
}
