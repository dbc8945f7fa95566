"""Trained models at other image sizes."""

import json

import pytest

from tests.training.blank_pictures import blank_pictures
from training import compare, image_sizes
from training.config import ImageSizes

PAGE = "training/configs/image_sizes.py"


@pytest.fixture(scope="module")
def source(data_dir, tmp_path_factory):
    """The folder of a short comparison of two architectures on 8 x 8 pixels."""
    workdir = tmp_path_factory.mktemp("runs") / "compare"
    overrides = {
        "epochs": 3,
        "architectures": "('MLPMixer', 'FFOnly')",
        "data.data_dir": data_dir,
        "model.arguments.num_layers": 1,
        "runtime.export": False,
    }
    arguments = ["--config", "training/configs/compare_digits.py", "--workdir", str(workdir)]
    with blank_pictures():
        compare.main([*arguments, *(f"--set={key}={value}" for key, value in overrides.items())])
    return workdir


def arguments(source, workdir, data_dir, **overrides):
    settings = {
        "architectures": "('MLPMixer', 'FFOnly')",
        "sizes": "((8, 16),)",
        "epochs": 1,
        "data.name": "digits",
        "data.data_dir": data_dir,
        "data.examples_per_class": 20,
        **overrides,
    }
    places = ["--source", str(source), "--config", PAGE, "--workdir", str(workdir)]
    return [*places, *(f"--set={key}={value}" for key, value in settings.items())]


def test_results_of_another_source_are_not_taken_for_this_one(source, data_dir, tmp_path):
    folder = tmp_path / "sizes"
    folder.mkdir()
    (folder / "metrics.json").write_text('{"source": "runs/other", "entries": []}')
    with pytest.raises(SystemExit, match=r"results of another source \(runs/other\)"):
        image_sizes.main(arguments(source, folder, data_dir))


def test_the_first_seed_is_the_smallest_number(tmp_path):
    for name in ("seed10", "seed9", "seeds"):
        (tmp_path / "MLPMixer" / name).mkdir(parents=True)
        (tmp_path / "MLPMixer" / name / "model.keras").touch()
    page = ImageSizes(architectures=("MLPMixer",))
    found = image_sizes._find_models(page, tmp_path)
    assert found["MLPMixer"].parent.name == "seed9"


@pytest.mark.sweep
def test_every_possible_way_is_judged_before_and_after(source, data_dir, tmp_path):
    image_sizes.main(arguments(source, tmp_path / "sizes", data_dir))
    metrics = json.loads((tmp_path / "sizes" / "metrics.json").read_text())
    entries = {(each["architecture"], each["method"]): each for each in metrics["entries"]}
    assert set(entries) == {
        ("MLPMixer", "trained"),
        ("MLPMixer", "interpolate"),
        ("MLPMixer", "block_diagonal"),
        ("MLPMixer", "reinitialize"),
        ("FFOnly", "trained"),
        ("FFOnly", "interpolate"),
        ("FFOnly", "reinitialize"),
    }
    for name in ("MLPMixer", "FFOnly"):
        trained = json.loads((source / name / "seed0" / "metrics.json").read_text())
        assert entries[name, "trained"]["before"] == trained["test"]["accuracy"]
        assert entries[name, "trained"]["size"] == [8, 8]
        assert entries[name, "interpolate"]["size"] == [8, 16]
    table = (tmp_path / "sizes" / "table.md").read_text().splitlines()
    assert len(table) == 2 + len(entries)
    assert (tmp_path / "sizes" / "image_sizes.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sizes": "((8, 9),)"}, r"No model can be resized to \(8, 9\): .*not divisible"),
        ({"methods": "('interpolat',)"}, r"`methods\[0\]` is 'interpolat'"),
        ({"architectures": "('GMLP',)"}, "holds no GMLP/seedN/model.keras"),
    ],
)
def test_what_no_model_can_do_is_an_error(source, data_dir, tmp_path, overrides, message):
    with pytest.raises(SystemExit, match=message):
        image_sizes.main(arguments(source, tmp_path / "sizes", data_dir, **overrides))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"entries": [{"size": 3}]}'])
def test_damaged_metrics_are_named_before_any_work(text, data_dir, tmp_path):
    source, workdir = tmp_path / "source", tmp_path / "sizes"
    for name in ("MLPMixer", "FFOnly"):
        (source / name / "seed0").mkdir(parents=True)
        (source / name / "seed0" / "model.keras").touch()
    workdir.mkdir()
    (workdir / "metrics.json").write_text(text)
    with pytest.raises(SystemExit, match=r"metrics\.json is damaged: .* Remove it to judge"):
        image_sizes.main(arguments(source, workdir, data_dir))
