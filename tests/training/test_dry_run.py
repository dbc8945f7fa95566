"""Dry runs use the user's own data and weights, leave no files, and name what is wrong."""

import dataclasses
import pathlib
import tempfile

import pytest

import keras_mlp
from tests.training.data.pictures import write_folder
from training.config import Data, Model
from training.dry_run import dry_run, main, report
from training.train import build_model

DIGITS = str(pathlib.Path(__file__).parents[2] / "training" / "configs" / "digits.py")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder that the process uses for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left_in(folder):
    """The folders in a folder; Python keeps what TensorFlow's autograph wrote there compiled."""
    return [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]


def test_two_steps_with_the_data_and_the_optimizer_of_the_config(config, change, temporary):
    config = change(optimizer={"accumulate": 4, "warmup_epochs": 30.0, "ema": 0.9})
    found = dry_run(config, images=6)
    assert found["unmoved"] == [] and found["weights"] > 10
    assert (found["image_shape"], found["classes"]) == ((8, 8, 1), 10)
    assert len(found["loss"]) == len(found["seconds"]) == 2
    assert found["notes"] == [
        "6 image(s) a step instead of 64",
        "at the learning rate after warm-up, 0.005",
        "in 2 part(s) instead of 4",
    ]
    assert config.optimizer.accumulate == 4 and config.data.batch_size == 64
    assert left_in(temporary) == []
    assert "(s) instead of 4" in report(config, found)


def test_folders_are_the_user_s_or_made_with_as_many_classes(config, change, tmp_path, temporary):
    write_folder(tmp_path, "train", {"china": 4, "flower": 4})
    write_folder(tmp_path, "test", {"china": 1})
    own = Data(name="image_folder", data_dir=str(tmp_path))
    colours = {**config.model.arguments, "image_shape": (8, 8, 3), "num_layers": 1}
    config = dataclasses.replace(change(model={"arguments": colours}), data=own)
    found = dry_run(config)
    assert found["classes"] == 2 and not any("photographs" in note for note in found["notes"])
    made = dataclasses.replace(config, data=Data(name="image_folder", num_classes=30))
    found = dry_run(made, images=3)
    assert found["classes"] == 30 and "pictures are parts of two photographs" in found["notes"]
    assert left_in(temporary) == []


@pytest.mark.parametrize("method", ["interpolate", "block_diagonal"])
def test_weights_of_a_file_are_made_to_fit_as_the_config_says(tmp_path, method):
    source = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=3, num_layers=1)
    keras_mlp.save_checkpoint(source, tmp_path / "weights.safetensors")
    model = Model(
        variant="pico/2",
        arguments={"image_shape": (16, 16, 3), "num_layers": 1},
        preset=str(tmp_path / "weights.safetensors"),
        resize_method=method,
    )
    built = build_model(model, 3, "float32")
    expected = keras_mlp.with_image_shape(source, (16, 16, 3), method=method)
    assert built.token_mlp_dim == expected.token_mlp_dim == (128 if method != "interpolate" else 32)
    for weight, other in zip(built.weights, expected.weights, strict=True):
        assert (weight.numpy() == other.numpy()).all(), weight.path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "0"], "`--images` must be at least 1"),
        (["--set", "runtime.strategy=mirrored"], "`runtime.strategy`"),
        (["--set", "model.variant=huge"], "`model.variant`"),
        (["--set", "model.resize_method=stretch"], "`model.resize_method`"),
        (["--set", "data.num_classes=11"], "`data.num_classes` is 11; digits has 10"),
        (
            ["--set", "augment.magnitude=21"],
            "`augment.magnitude` must be a number from 0 to 20",
        ),
    ],
)
def test_what_is_wrong_is_named(options, message, data_dir):
    with pytest.raises(SystemExit, match=message):
        main(["--config", DIGITS, "--set", f"data.data_dir={data_dir}", *options])
