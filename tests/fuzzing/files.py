"""Inputs for functions that read or write files: right ones, damaged ones, and wrong paths."""

import json
import os
import pathlib
import shutil
import tarfile

import numpy as np

import keras_mlp
from keras_mlp import MLPMixer
from keras_mlp.convert import Source, convert
from keras_mlp.formats import export_litert, export_onnx, export_tfjs
from saved_models.archive import unpack
from saved_models.card import write_card
from saved_models.verify import problems_of
from tests.contract import some_pixels
from tests.fuzzing.calls import LAYERS, SHAPES, marked, paths, runs
from tests.fuzzing.draw import TEXTS, call_shown, shown
from tests.fuzzing.inputs import Input
from tests.fuzzing.material import ARTEFACT
from tests.test_contract import ROWS
from training.report import write_report

READ = (ValueError, OSError)


def odd_paths(folder):
    """Paths to read from where nothing useful is."""
    return [
        *("", ".", "/", "no.npz", folder, folder / "no", folder / "no" / "no.safetensors"),
        *(b"bytes.npz", "a\0b.npz", "x" * 300 + ".npz", "a\nb.npz", pathlib.Path("no.pth")),
    ]


def some_checkpoint(draw, material, folder):
    """A checkpoint of the toy Mixer, damaged in half of the cases, and whether it is."""
    source = material.checkpoints[draw.one(sorted(material.checkpoints))]
    if draw.chance(0.4):
        return source
    path = folder / f"damaged{source.suffix}"
    path.write_bytes(draw.damaged(source.read_bytes()))
    return path


def named_path(given, path, *more):
    """Lets the message name a path in place of an argument."""
    given.named = [*given.named, *more, "`path`", "`preset`", "`output`", "`folder`"]
    if isinstance(path, (str, bytes, os.PathLike)) and path:
        text = os.fsdecode(path)
        given.named += [text[:60], ascii(text)[1:-1][:60], repr(text)[1:-1][:60]]
    return given


def load_checkpoint(draw, material, folder):
    model = material.fresh("MLPMixer")
    path = some_checkpoint(draw, material, folder)
    plausible = {
        "model": [material.plain[0], material.plain_mixer, material.lora, material.toy("ViT")],
        "path": odd_paths(folder),
        "include_head": [True, False, 1],
        "ema": [None, True, False],
    }
    arguments = {"model": model, "path": path}
    if draw.chance(0.4):
        changed = arguments
    else:
        changed, _ = draw.changed(arguments, plausible, 1)
    given = Input(
        lambda: keras_mlp.load_checkpoint(**changed),
        call_shown("load_checkpoint", changed),
        [*marked(plausible), "naming"],
        lambda naming: runs(model),
        errors=READ,
        unchanged_if_refused=[model],
        unchanged=[path],
    )
    return named_path(given, changed["path"], path.name)


def from_preset(draw, material, folder):
    path = some_checkpoint(draw, material, folder) if draw.chance(0.5) else None
    path = path or material.checkpoints[".safetensors"]
    toy = ROWS["MLPMixer"].toy
    plausible = {
        "preset": [*odd_paths(folder)[4:], "mixer_b16_224.goog_in21k_", "https://a/b.npz"],
        "variant": ["pico/2", None, "B/99"],
        "file_image_shape": SHAPES,
        "ema": [None, True, False, 1],
        "verbose": [True, False, 2],
        "image_shape": SHAPES,
        "num_classes": [5, 7, 0],
        "include_top": [True, False],
        "file": ["no.npz", path],
        "cache_dir": [folder],
        "hidden_dim": [8, 16],
    }
    arguments = {"preset": path, "verbose": False, **toy}
    arguments, names = draw.changed(arguments, plausible)
    given = Input(
        lambda: MLPMixer.from_preset(**arguments),
        call_shown("MLPMixer.from_preset", arguments),
        [*marked(names), "`image_shape`", "naming", "`patch_size`"],
        runs,
        errors=READ,
        unchanged=[path],
    )
    return named_path(given, arguments["preset"], path.name)


def save_checkpoint(draw, material, folder):
    output = folder / "out"
    plausible = {
        "model": material.models(),
        "path": [*paths(output, "w.safetensors"), output / "w.npz", output / "w.pth"],
        "layout": ["timm", "google", "google_legacy", "torch"],
    }
    arguments = {"model": material.toy("MLPMixer"), "path": output / "w.safetensors"}
    arguments, names = draw.changed(arguments, plausible)

    def check(path):
        assert path.is_file()
        copy = material.fresh("MLPMixer")
        if arguments["model"] is material.toy("MLPMixer"):
            keras_mlp.load_checkpoint(copy, path)
            pixels = some_pixels(copy)
            np.testing.assert_array_equal(copy(pixels), arguments["model"](pixels))

    given = Input(
        lambda: keras_mlp.save_checkpoint(**arguments),
        call_shown("save_checkpoint", arguments),
        marked([*names, "layout"]),
        check,
        errors=READ,
        unchanged=[material.toy("MLPMixer")],
        output=output,
    )
    return named_path(given, arguments["path"])


def export_saved_model(draw, material, folder):
    output = folder / "out"
    model = material.toy(draw.one(("MLPMixer", "ResMLP")))
    plausible = {
        "model": [*material.plain[1:], material.quantized],
        "path": paths(output, "saved")[3:],
        "output": ["logits", "features", "all"],
        "features": [[name] for name in LAYERS] + ["stem", ("stem", "stem")],
        "class_names": [list("abcde"), "abcde", ["a"], list("aabcd"), ["a\nb", *"bcde"]],
        "resize": [None, "nearest", "bilinear", "lanczos3"],
        "overwrite": [True, False, 1],
    }
    arguments = {"model": model, "path": output / "saved"}
    arguments, names = draw.changed(arguments, plausible, 3)
    given = Input(
        lambda: keras_mlp.export_saved_model(**arguments),
        call_shown("export_saved_model", arguments),
        marked([*names, "names"]),
        lambda path: keras_mlp.saved_model_info(path)["sha256"],
        errors=READ,
        unchanged=[model],
        output=output,
    )
    return named_path(given, arguments["path"])


def export_at_sizes(draw, material, folder):
    output = folder / "out"
    plausible = {
        "model": [*material.plain, material.toy("VisionPermutator"), material.lora],
        "folder": paths(output, "sizes")[3:],
        "image_shapes": [[(17, 24, 3)], [], [(16, 24, 3), (16, 24, 3)], [(16, 24, 1)], (16, 24, 3)],
        "output": ["all"],
        "resize": ["lanczos3"],
        "overwrite": [1],
    }
    arguments = {
        "model": material.toy("ResMLP"),
        "folder": output / "sizes",
        "image_shapes": [(16, 16, 3)],
    }
    arguments, names = draw.changed(arguments, plausible, 3)
    given = Input(
        lambda: keras_mlp.export_at_sizes(**arguments),
        call_shown("export_at_sizes", arguments),
        [*marked([*names, "image_shape"]), "Cannot write in"],
        errors=READ,
        output=output,
    )
    return named_path(given, arguments["folder"])


def saved_model(draw, material, folder):
    """Reading a SavedModel of ours whose description or graph is damaged."""
    path = folder / "saved"
    shutil.copytree(material.saved_model, path)
    file = path / draw.one(("keras_mlp.json", "keras_mlp.json", "saved_model.pb", "fingerprint.pb"))
    if file.suffix == ".json" and draw.chance(0.7):
        file.write_text(json.dumps(draw.damaged_tree(json.loads(file.read_text()))))
    else:
        file.write_bytes(draw.damaged(file.read_bytes()))
    function = draw.one((keras_mlp.saved_model_info, keras_mlp.SavedModelLayer))
    given = path
    if draw.chance(0.4):
        given = draw.one(odd_paths(folder)) if draw.chance(0.5) else draw.wild()

    def check(found):
        if isinstance(found, dict):
            assert found["format_version"] == 1 and isinstance(found["sha256"], dict)
        else:
            assert np.isfinite(found(np.zeros((1, 16, 24, 3), "float32"))).all()

    made = Input(
        lambda: function(given),
        f"{function.__name__}({shown(given)}), {file.name} damaged",
        ["`path`", file.name, "SavedModel"],
        check,
        errors=READ,
        unchanged=[path],
    )
    return named_path(made, given)


def formats(draw, material, folder):
    output = folder / "out"
    function, name = draw.one(
        ((export_litert, "m.tflite"), (export_onnx, "m.onnx"), (export_tfjs, "tfjs"))
    )
    plausible = {
        "model": [*material.plain[1:], material.plain_mixer],
        "path": paths(output, name)[4:],
        "deployed": [True, False, 1],
        "overwrite": [1, "no"],
    }
    if function is export_litert:
        plausible |= {"batch_size": [0, 2.0, "1"], "quantize": ["int8", True]}
    if function is export_tfjs:
        plausible |= {"converter": ["no/such", ""]}
    arguments, names = draw.changed(
        {"model": material.toy("ResMLP"), "path": output / name}, plausible
    )
    given = Input(
        lambda: function(**arguments),
        call_shown(function.__name__, arguments),
        [*marked(names), "installed", "tensorflowjs_converter"],
        errors=(*READ, ImportError),
        output=output,
    )
    return named_path(given, arguments["path"])


def converting(draw, material, folder):
    output = folder / "out"
    path = some_checkpoint(draw, material, folder)
    toy = {**ROWS["MLPMixer"].toy}
    reference = folder / "reference.npz"
    if draw.chance(0.5):
        arrays = {"images": np.zeros((1, 16, 24, 3), "uint8"), "logits": np.zeros((1, 5))}
        np.savez(reference, **arrays)
        reference.write_bytes(draw.damaged(reference.read_bytes()))
    plausible = {
        "name": ["mixer_b16", *TEXTS[:8]],
        "architecture": ["MLPMixer", None, "ViT", "Mixer"],
        "variant": [None, "pico/2", "B"],
        "file": [None, "no.npz"],
        "arguments": [toy, {**toy, "hidden_dim": -1}, {"a": 1}, {**toy, "num_layers": 3}],
    }
    right = {"name": str(path), "architecture": "MLPMixer", "arguments": toy}
    arguments, names = draw.changed(right, plausible)
    output_path = draw.one(paths(output, "converted")[3:])
    given = Input(
        lambda: convert(Source(**arguments), output_path, reference=draw.one((None, reference, 3))),
        f"convert({call_shown('Source', arguments)}, {shown(output_path)})",
        [
            *marked([*names, "preset", "variant", "hidden_dim", "num_layers", "a", "output"]),
            *("reference", "naming", path.name, "source", "Cannot write in"),
        ],
        errors=READ,
        output=output,
    )
    return named_path(given, output_path, str(arguments["name"])[:60])


def archive(draw, material, folder):
    path = folder / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tarball:
        for _ in range(draw.random.randrange(4)):
            member = tarfile.TarInfo(
                draw.one(
                    ("a", "b/c", "../d", "/e", "a/../f", "é", "x" * 300, "con", "a\\b", "\udcff")
                )
            )
            member.type = draw.one(
                (
                    tarfile.REGTYPE,
                    tarfile.REGTYPE,
                    tarfile.DIRTYPE,
                    tarfile.SYMTYPE,
                    tarfile.FIFOTYPE,
                )
            )
            member.linkname = "../../etc/passwd"
            member.mode = draw.one((0o644, 0, 0o777))
            tarball.addfile(member)
    if draw.chance(0.5):
        path.write_bytes(draw.damaged(path.read_bytes()))
    source = draw.one(odd_paths(folder)) if draw.chance(0.1) else path
    target = folder / "out" / "unpacked"
    given = Input(
        lambda: unpack(source, target),
        f"unpack({shown(source)}, {shown(target)})",
        [path.name],
        lambda _: target.is_dir(),
        errors=READ,
        unchanged=[path],
        output=folder / "out",
    )
    return named_path(given, source)


def artefact(draw, material, folder):
    """Checking and describing an artefact with a damaged file; `verify` reports, never raises."""
    copy = folder / ARTEFACT.name
    copy.mkdir()
    for name in ("manifest.json", "metrics.json", "README.md", "labels.txt"):
        shutil.copy(ARTEFACT / name, copy)
    file = copy / draw.one(("manifest.json", "metrics.json"))
    if draw.chance(0.7):
        file.write_text(json.dumps(draw.damaged_tree(json.loads(file.read_text()))))
    else:
        file.write_bytes(draw.damaged(file.read_bytes()))
    if draw.chance(0.5):
        (copy / "README.md").unlink()
        return Input(
            lambda: write_card(copy),
            f"write_card, {file.name} damaged",
            [file.name, str(copy)],
            lambda _: (copy / "README.md").read_text(),
            errors=READ,
        )

    def check(problems):
        assert problems and all(isinstance(each, str) and "\n" not in each for each in problems)

    return Input(
        lambda: problems_of(copy), f"verify, {file.name} damaged", right=check, unchanged=[copy]
    )


def report(draw, material, folder):
    copy = folder / "run"
    shutil.copytree(material.run, copy)
    name = draw.one(("metrics.json", "history.jsonl", "evaluation.json", "confusion.png"))
    file = copy / name
    if name.endswith(".json") and draw.chance(0.7):
        file.write_text(json.dumps(draw.damaged_tree(json.loads(file.read_text()))))
    else:
        file.write_bytes(draw.damaged(file.read_bytes() if file.exists() else b"png"))
    return Input(
        lambda: write_report(copy),
        f"write_report, {name} damaged",
        [name, str(copy)],
        lambda path: path.read_text(),
        errors=READ,
    )


def keras_file(draw, material, folder):
    from training.models.opened_model import open_model

    path = folder / draw.one(("m.keras", "m.keras", "m.h5", "m.KERAS"))
    content = material.keras_file.read_bytes()
    path.write_bytes(content if draw.chance(0.2) else draw.damaged(content))
    source = draw.one(odd_paths(folder)) if draw.chance(0.25) else path
    if isinstance(source, bytes):
        source = os.fsdecode(source)

    def check(opened):
        assert np.isfinite(opened.call(np.zeros((1, 16, 24, 3), "uint8"), training=False)).all()

    given = Input(
        lambda: open_model(source),
        f"open_model({shown(source)})",
        ["`--source`", "keras_mlp.json"],
        check,
        unchanged=[path],
    )
    return given


def golden(draw, material, folder):
    from training.evaluate import check_golden

    path = folder / "golden.npz"
    images = np.zeros((1, 16, 24, 3), "uint8")
    model = material.toy("MLPMixer")
    np.savez(path, images=images, outputs=np.asarray(model(images, training=False)))
    arrays = dict(np.load(path))
    if draw.chance(0.5):
        key = draw.one(sorted(arrays))
        value = draw.one((None, np.zeros(3), np.zeros((1, 16, 24, 3)), np.array("a"), np.zeros(0)))
        arrays.pop(key) if value is None else arrays.update({key: value})
        np.savez(path, **arrays)
    else:
        path.write_bytes(draw.damaged(path.read_bytes()))
    return Input(
        lambda: check_golden(model, folder), "check_golden, damaged", [path.name], unchanged=[path]
    )


ENTRY_POINTS = {
    "load_checkpoint": (load_checkpoint, 50),
    "from_preset of a file": (from_preset, 40),
    "save_checkpoint": (save_checkpoint, 30),
    "export_saved_model": (export_saved_model, 30),
    "export_at_sizes": (export_at_sizes, 12),
    "SavedModelLayer, saved_model_info": (saved_model, 30),
    "export_litert, _onnx, _tfjs": (formats, 24),
    "convert": (converting, 24),
    "archives": (archive, 30),
    "artefacts: manifest, metrics": (artefact, 20),
    "runs: metrics, history": (report, 20),
    "open_model": (keras_file, 20),
    "golden.npz": (golden, 10),
}
