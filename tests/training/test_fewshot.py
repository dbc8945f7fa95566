"""A few images per class on the features of saved models, in every format."""

import json

import keras
import pytest

import keras_mlp
from examples.comparators import bit_resnet
from training import fewshot as program
from training.models.frozen_features import open_features

PAGE = "training/configs/digits.py"
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """One model as a .keras file, a SavedModel and an artefact, and another as a run."""
    folder = tmp_path_factory.mktemp("sources")
    model = keras_mlp.MLPMixer.from_variant("pico/2", image_shape=SHAPE, num_layers=1)
    model.save(folder / "mixer.keras")
    keras_mlp.export_saved_model(model, folder / "features", output="features")
    keras_mlp.export_saved_model(model, folder / "logits")
    (folder / "artefact").mkdir()
    (folder / "features").rename(folder / "artefact" / "feature_vector")
    (folder / "run").mkdir()
    bit_resnet(SHAPE, 4, widths=(8, 16), blocks=1, groups=4).save(folder / "run" / "model.keras")
    config = {"model": {"architecture": "examples.comparators:bit_resnet"}}
    (folder / "run" / "metrics.json").write_text(json.dumps({"config": config}))
    return folder


def run(data_dir, output, *sources, **overrides):
    arguments = ["--config", PAGE, "--output", str(output), "--source", *map(str, sources)]
    arguments += ["--shots", "1", "10", "--draws", "3"]
    for key, value in {"validation_percent": 20, "data_dir": data_dir, **overrides}.items():
        arguments += ["--set", f"data.{key}={value}"]
    program.main(arguments)


def test_an_output_that_cannot_be_made_ends_before_the_work(sources, data_dir, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"`--output` .*cannot be created: Not a directory"):
        run(data_dir, tmp_path / "file" / "x", sources / "mixer.keras")
    assert "per class" not in capsys.readouterr().out


def test_every_format_of_a_model_gives_the_same(sources, data_dir, tmp_path, capsys):
    names = ("mixer.keras", "artefact", "artefact/feature_vector", "run/model.keras")
    run(data_dir, tmp_path, *(sources / name for name in names))
    runs = json.loads((tmp_path / "results.json").read_text())["runs"]
    assert [each["shots"] for each in runs] == [1, 10] * 5
    assert [each["features"] for each in runs] == [64] * 6 + [16] * 2 + [8 * 8] * 2
    assert [each["source"] for each in runs[-2:]] == ["pixels, 8 x 8 x 1"] * 2
    for number in (0, 1):
        test = runs[number]["test"]
        for other in (runs[2 + number], runs[4 + number]):
            assert other["test"] == pytest.approx(test, abs=0.006)  # two images of 360
    # The features are of random weights: far better than chance, far from good.
    assert all(0.15 < sum(each["test"]) / 3 < 0.95 for each in runs)
    assert sum(runs[1]["test"]) > sum(runs[0]["test"])
    table = (tmp_path / "table.md").read_text()
    assert (tmp_path / "fewshot.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    program.main(["--from", str(tmp_path / "results.json")])
    assert table in capsys.readouterr().out


def test_what_has_no_features_is_named(sources, tmp_path):
    with pytest.raises(ValueError, match="outputs logits, not features: give the"):
        open_features(sources / "logits")
    with pytest.raises(ValueError, match=r"neither a \.keras file nor the folder"):
        open_features(tmp_path / "none")
    pixels = keras.Input(SHAPE)
    keras.Model(pixels, keras.layers.Flatten()(pixels)).save(tmp_path / "flat.keras")
    with pytest.raises(ValueError, match="has no pooled features"):
        open_features(tmp_path / "flat.keras")
    (tmp_path / "bad.keras").write_text("no model")
    with pytest.raises(
        ValueError, match=r"bad\.keras cannot be loaded; .*: it is not a \.keras archive"
    ):
        open_features(tmp_path / "bad.keras")


def test_a_page_without_held_out_images_is_refused(sources, data_dir, tmp_path):
    with pytest.raises(SystemExit, match=r"`data\.validation_percent` must be positive"):
        run(data_dir, tmp_path / "x", sources / "mixer.keras", validation_percent=0)
    assert not (tmp_path / "x").exists()
