"""Inputs for programs: command lines, config pages, data folders and the environment."""

import functools
import importlib
import json
import os
import pathlib
import shutil
from unittest import mock

import numpy as np

from tests.fuzzing.calls import marked
from tests.fuzzing.draw import WORDS, shown
from tests.fuzzing.inputs import Input
from tests.fuzzing.material import ARTEFACT, CLASSES, ROOT
from training.config import Config, Data, Model, Runtime, load_config
from training.overrides import leaves

PAGES = (
    "digits.py",
    "compare_digits.py",
    "digits_transfer.py",
    "image_sizes.py",
    "fashion_mnist.py",
)
CONFIGS = ROOT / "training" / "configs"
RESULTS = ROOT / "docs" / "results"
KEYS = [name for name, _, _ in leaves(Config())]
VALUES = (
    *("0", "1", "-1", "1e999", "nan", "inf", "None", "True", "()", "[]", "{}", "(1,", "'", "1j"),
    *("10**9", "9" * 5000, "[" * 300, "__import__('os')", "lambda: 0", "adamw", "digits", "", " "),
)


class Started(Exception):
    """The program has accepted everything and starts to train."""


def override(draw, material=None):
    """The text of a `--set`."""
    key = draw.one(KEYS)
    if draw.chance(0.2):
        key = draw.one(
            (key[:-1], key.upper(), key + ".a", f"a.{key}", "", ".", "model.arguments.a")
        )
    value = draw.one(VALUES) if draw.chance(0.7) else draw.one(WORDS)
    return f"{key}={value}" if draw.chance(0.95) else key


def config(draw, material, folder):
    """Overrides of a page: a checked config, or an error that names the key."""
    overrides = [override(draw) for _ in range(draw.random.randint(1, 2))]

    def check(found):
        assert type(found) is Config
        json.dumps({key: str(value) for key, value, _ in leaves(found)})

    return Input(
        lambda: load_config(CONFIGS / "digits.py", overrides),
        f"load_config(digits.py, {shown(overrides)})",
        [key.partition("=")[0].strip() for key in overrides] + ["--set", "optimizer."],
        check,
    )


def page(draw, material, folder):
    """Files in place of a page."""
    path = folder / "page.py"
    content = draw.one(
        (
            *(
                b"",
                b"CONFIG = 1",
                b"CONFIG = None",
                b"import no_such_module",
                b"1 / 0",
                b"def",
                b"\0",
            ),
            *(b"\xff\xfe", b"raise SystemExit(3)", b"raise KeyError", b"exit()", b"x = [" * 500),
            b"from training.config import Config\nCONFIG = Config",
            b"from training.config import Config\nCONFIG = Config(epochs=-1)",
            b"from training.config import Config\nCONFIG = Config(epochs='a\\nb')",
            b"from training.config import Config, Data\nCONFIG = Config(data=Data(classes='ab'))",
            b"from training.config import Config\nCONFIG = Config(data=3)",
            b"from training.config import Config\nCONFIG = Config(model={'a': 1})",
            b"from training.config import *\nCONFIG = Config(epochs=2)",
            (CONFIGS / "digits.py").read_bytes()[: draw.random.randrange(500)],
        )
    )
    path.write_bytes(content)
    if draw.chance(0.15):
        path = draw.one((folder, folder / "no.py", folder / ("x" * 300)))
    return Input(
        lambda: load_config(path),
        f"load_config({shown(content[-80:])} as {shown(path)})",
        [path.name[:50], ascii(path.name)[1:-1][:50], "epochs", "data", "model"],
        lambda found: type(found) is Config,
        unchanged=[folder],
    )


OPTIONS = {
    "training.train": ["--config", "--workdir", "--set", "--accept-changes"],
    "training.compare": ["--config", "--workdir", "--seeds", "--set"],
    "training.finetune": ["--source", "--config", "--workdir", "--set"],
    "training.image_sizes": ["--source", "--config", "--workdir", "--set"],
    "training.dry_run": ["--config", "--images", "--set"],
    "training.evaluate": ["--source", "--config", "--folder", "--split", "--output", "--set"],
    "training.launch": ["--workers", "--restarts", "--config", "--workdir"],
    "training.report": ["RUN"],
    "saved_models.make": ["RUN", "--output", "--name", "--form", "--sizes", "--data-dir"],
    "saved_models.verify": ["PATH", "PATH"],
    "saved_models.card": ["PATH"],
    "saved_models.index": ["PATH", "--frobnicate"],
    "saved_models.publish": ["PATH", "--output", "--owner"],
    "keras_mlp.analysis.__main__": ["--architecture", "--variant", "--sides"],
    "keras_mlp.convert.__main__": [
        "SOURCE",
        "--architecture",
        "--variant",
        "--argument",
        "--output",
    ],
    "keras_mlp.formats.__main__": ["SOURCE", "--format", "--output", "--batch-size", "--converter"],
}
FLAGS = ("--accept-changes", "--compare", "--deployed", "--overwrite")
# What a program calls once it has accepted its options, where that takes long.
WORK = {
    "training.train": "train",
    "training.compare": "compare",
    "training.finetune": "finetune",
    "training.image_sizes": "image_sizes",
    "training.dry_run": "dry_run",
    "training.evaluate": "evaluate_source",
    "training.launch": "supervise",
    "saved_models.make": "make",
    "saved_models.index": "write_index",
    "keras_mlp.formats.__main__": "FORMATS",
    "training.scaling": "scaling",
    "training.permuted": "permuted",
    "training.fewshot": "fewshot",
    "training.any_size": "any_size",
    "training.back_to_best": "back_to_best",
    "training.data.arrays": "write_arrays",
    "keras_mlp.export.__main__": "export_saved_model",
}


def word(draw, material, folder, option):
    """A value of an option: right, or odd."""
    if draw.chance(0.35):
        return draw.one(WORDS)
    right = {
        "--config": [str(CONFIGS / name) for name in PAGES],
        "--workdir": [str(folder / "out" / "run"), str(material.keras_file), "/proc/none"],
        "--set": [override(draw)],
        "--source": [str(material.keras_file), str(folder), str(ARTEFACT), "/dev/null"],
        "--folder": [str(folder), str(material.keras_file)],
        "--seeds": ["0", "-1", "1 2", "9" * 30],
        "--images": ["1", "0", "9" * 20, "1.5"],
        "--split": ["test", "train", "all"],
        "--output": [str(folder / "out"), str(folder / "out" / "new"), str(folder / "no" / "a")],
        "--workers": ["1", "0", "-1", "a"],
        "--restarts": ["0", "-1"],
        "--name": ["a/b", "../a", "."],
        "--form": ["deployed", "training", "both"],
        "--sizes": ["8x8", "0x8", "8", "9" * 400 + "x1"],
        "--data-dir": [str(folder)],
        "--owner": ["me", "a b"],
        "--architecture": ["MLPMixer", "Mixer", "ViT"],
        "--variant": ["pico/2", "B/99"],
        "--sides": ["8,16", "8x16", "0", "8x", "8x8x8", "9"],
        "--argument": ["a", "a=b", "=1", "num_classes=NaN", "num_classes=" + "[" * 2000],
        "--format": ["litert", "onnx", "tflite"],
        "--minutes": ["0.1", "0", "-1", "nan", "1e999"],
        "--jobs": ["0", "1", "-1", "10000", "a"],
        "--percent": ["1 100", "0", "nan", "1e-9", "101", "a"],
        "--steps": ["1", "0", "9" * 30],
        "--patch": ["2", "3", "1", "0", "9" * 30],
        "--shots": ["1 5", "0", "9" * 30, "-1"],
        "--draws": ["1", "0", "-1"],
        "--from": [str(RESULTS / "compare_fashion_mnist.json"), str(folder), "/dev/null"],
        "--costs": [str(RESULTS / "compare_fashion_mnist.json"), str(folder), "/dev/null"],
        "--epochs": ["1", "0", "-1", "1.5"],
        "--image-size": ["8", "0", "-1", "9" * 30],
        "--channels": ["1", "3", "2"],
        "--features": ["stem", "block_0 stem", "block_9"],
        "--labels": [str(folder / "no"), str(material.keras_file), str(folder)],
        "--resize": ["bilinear", "lanczos3", "no"],
        "--pattern": ["*in21k", "[", "*"],
        "--calibration-images": [str(folder), str(folder / "no.npy"), "/dev/null"],
        "--batch-size": ["1", "0", "9" * 20, "a"],
        "--converter": ["no/such"],
    }.get(option, [str(folder), str(material.keras_file), str(folder / "no"), str(ARTEFACT)])
    return draw.one(right)


def command_line(draw, material, folder, programs=OPTIONS):
    program = draw.one(sorted(programs))
    words = []
    for option in programs[program]:
        if draw.chance(0.12):
            continue
        if option in FLAGS:
            words.append(option)
        elif option.isupper():
            words.append(word(draw, material, folder, option))
        else:
            words += [option, *word(draw, material, folder, option).split(" ")]
    if program == "training.launch":
        words.insert(4, "--")
    if draw.chance(0.1):
        words.append(draw.one(("--frobnicate", "--set", "extra", "--help")))
    if program == "saved_models.publish" and str(ARTEFACT) in words:
        words[-1] = "\n"  # it would copy the artefact
    module = importlib.import_module(program)
    work = WORK.get(program)
    if work == "FORMATS":
        stop = mock.MagicMock(side_effect=Started)
        patch = mock.patch.dict(module.FORMATS, dict.fromkeys(module.FORMATS, stop))
    elif work and hasattr(module, work):
        patch = mock.patch.object(module, work, side_effect=Started)
    else:
        patch = mock.patch.dict(os.environ)

    def call():
        here = pathlib.Path.cwd()
        os.chdir(folder / "out")
        try:
            with patch:
                module.main(words)
        finally:
            os.chdir(here)

    return Input(
        call,
        f"{program} {shown(words)}",
        errors=(Started,),
        unchanged=[material.keras_file],
        output=folder / "out",
        program=True,
    )


def run_config(draw, material, folder):
    """A config that is right in itself, up to the first step of training."""
    from training.engine.chosen import engine_module
    from training.train import train

    plausible = {
        "model.architecture": ["MLPMixer", "ResMLP", "Mixer"],
        "model.variant": ["pico/2", "pico/4", "X"],
        "model.arguments": [{"hidden_dim": -1}, {"a": 1}, {"image_shape": (8, 8, 3)}, {"dtype": 1}],
        "model.preset": [str(folder / "no.npz"), "a", "mixer_b16_224.goog_in21k_ft"],
        "data.name": ["digits", "digit", "image_folder", "arrays", "mnist"],
        "data.data_dir": [str(folder / "no"), None, str(folder)],
        "data.train_split": ["training", "test"],
        "data.validation_percent": [0, 90],
        "data.classes": [(0, 1), (0, 0), (99,)],
        "data.num_classes": [10, 3],
        "data.batch_size": [64, 10**9, 63],
        "data.service": ["grpc://localhost:1"],
        "optimizer.accumulate": [2, 3, 10**6],
        "optimizer.layer_decay": [0.5],
        "runtime.strategy": ["mirrored", "multi_worker_mirrored", "one_device"],
        "runtime.profile": [True],
        "augment.policy": ["trivialaugment", "randaugment"],
    }
    right = Config(
        model=Model("MLPMixer", "pico/2", {"image_shape": (8, 8, 1), "num_layers": 1}),
        data=Data(name="digits", data_dir=str(material.digits), batch_size=64),
        runtime=Runtime(export=False),
    )
    names = draw.random.sample(sorted(plausible), draw.random.randint(1, 2))
    for name in names:
        section, _, field = name.partition(".")
        value = draw.one(plausible[name])
        if (name, value) == ("data.service", "grpc://localhost:1"):
            value = ""
        setattr(getattr(right, section), field, value)
    workdir = folder / "run"
    engine = type(engine_module().engine_for(Runtime()))

    def call():
        with mock.patch.object(engine, "fit", side_effect=Started):
            train(right, workdir)

    changed = {name: functools.reduce(getattr, name.split("."), right) for name in names}
    return Input(
        lambda: _started(call),
        f"train(digits with {shown(changed)})",
        [
            *marked(names),
            "`model.",
            "`data.",
            "hidden_dim",
            "`augment.policy`",
            "`runtime.",
            "image_",
        ],
        errors=(ValueError, OSError),
    )


def _started(call):
    try:
        call()
    except Started:
        return True
    return False


def picture_folder(draw, material, folder):
    """Folders of pictures with damaged files, odd names and odd places."""
    from training.data.class_folders import load_folder
    from training.data.sources import open_source

    root = folder / "pictures"
    names = [*CLASSES, "é", "a b", ".hidden", "cat", "cat"]
    for split in ("train", "test"):
        for _ in range(draw.random.randrange(4)):
            place = root / split / draw.one(names)
            place.mkdir(parents=True, exist_ok=True)
            for _ in range(draw.random.randrange(3)):
                name = draw.one(sorted(material.pictures))
                content = material.pictures[name]
                path = place / draw.one((name, f"é{name}", f"._{name}", name.replace(".", "\n.")))
                path.write_bytes(draw.damaged(content) if draw.chance(0.3) else content)
    if draw.chance(0.3):
        (root / "train").mkdir(parents=True, exist_ok=True)
        (root / "train" / "cat.jpg").mkdir(exist_ok=True)
    if draw.chance(0.2) and root.exists():
        shutil.rmtree(root / "test", ignore_errors=True)
    if draw.chance(0.5):

        def read():
            source = open_source(Data(name="image_folder", data_dir=str(root)))
            return [list(source.read(name, 0, 9)) for name in source.splits]

        return Input(read, "ImageFolder of odd pictures", [root.name], errors=(ValueError, OSError))
    where, channels = draw.one((root / "train", root, folder / "no")), draw.one((1, 3, 2))

    def batches():
        split = load_folder(where, CLASSES, (8, 8, channels))
        return list(split.examples)

    def check(examples):
        for image, label in examples:
            assert image.shape == (8, 8, channels) and 0 <= int(label) < len(CLASSES)

    return Input(
        batches,
        f"load_folder({shown(where)}), {channels} channels",
        ["`--folder`", "channels"],
        check,
    )


def arrays(draw, material, folder):
    """The `.npz` file of a data set."""
    from training.data.arrays import ArrayFile

    path = folder / "data.npz"
    content = {"classes": np.array(CLASSES)}
    for split in ("train", "test"):
        content[f"{split}_images"] = np.zeros((4, 8, 8, 3), "uint8")
        content[f"{split}_labels"] = np.array([0, 1, 0, 1])
    if draw.chance(0.6):
        key = draw.one(sorted(content))
        values = (np.zeros(0), np.array("a"), np.zeros((4, 8, 8)), np.full(4, -1), np.zeros((3, 4)))
        content[key] = draw.one((*values, np.array([1.5] * 4), np.array(3), np.zeros((0, 8, 8, 3))))
    np.savez(path, **content)
    if draw.chance(0.4):
        path.write_bytes(draw.damaged(path.read_bytes()))

    def read():
        file = ArrayFile(path)
        return [(file.columns(split), file.image_shape, file.classes) for split in file.splits]

    def check(splits):
        for (images, labels), shape, classes in splits:
            assert images.shape == (len(labels), *shape) and images.dtype == "uint8"
            assert not len(labels) or labels.max() < len(classes)

    return Input(read, f"ArrayFile, {shown(sorted(content))}", [path.name], check, unchanged=[path])


def environment(draw, material, folder):
    """Variables that point nowhere, or hold something else."""
    import keras_mlp
    from training.engine.tensorflow.strategies import build_strategy

    if draw.chance(0.5):
        value = draw.one(
            (
                *(
                    "{",
                    "[]",
                    "null",
                    "3",
                    '"a"',
                    "{}",
                    '{"cluster": 3}',
                    '{"cluster": {}}',
                    " ",
                    "\n",
                ),
                '{"cluster": {"worker": ["localhost:1"]}}',
                '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
                '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 7}}',
                '{"cluster": {"worker": ["a:1"]}, "task": {"type": "boss", "index": 0}}',
                '{"cluster": {"worker": "a"}, "task": []}',
            )
        )

        def build():
            with mock.patch.dict(os.environ, TF_CONFIG=value):
                return build_strategy(Runtime(strategy="multi_worker_mirrored"))

        return Input(build, f"TF_CONFIG={shown(value)}", ["TF_CONFIG"])
    name = draw.one(("KERAS_MLP_CACHE", "HOME"))
    value = draw.one(
        ("", " ", "/dev/null", "/proc/none", "no/such", "x" * 300, str(folder / "out"))
    )

    def load():
        with mock.patch.dict(os.environ, {name: value}):
            return keras_mlp.RepMLPNet.from_preset("repmlpnet_t224.official_in1k", verbose=False)

    return Input(load, f"{name}={shown(value)}: from_preset", errors=(ValueError, OSError))


ENTRY_POINTS = {
    "config files, --set": (config, 90),
    "config pages": (page, 40),
    "command lines": (command_line, 140),
    "train: configs up to the first step": (run_config, 20),
    "folders of pictures": (picture_folder, 40),
    "arrays: .npz files": (arrays, 30),
    "environment": (environment, 24),
}
