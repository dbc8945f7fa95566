"""One model for all sizes against resized ones and one for each size."""

import json

import numpy as np
import pytest

import keras_mlp
from tests.training.blank_pictures import blank_pictures
from training import any_size

PAGE = "training/configs/any_size.py"
DIGITS = "training/configs/any_size_digits.py"


def arguments(workdir, data_dir, **overrides):
    settings = {
        "architectures": "('MLPMixer',)",
        "repeats": 1,
        "epochs": 1,
        "sizes": "(8, (8, 12))",
        "separate_sizes": "((8, 12),)",
        "model.variant": "pico/2",
        "model.arguments": {"image_shape": (8, 8, 1), "num_layers": 1},
        "data.name": "digits",
        "data.data_dir": data_dir,
        "data.image_sizes": "(8, 12)",
        "data.batch_size": 64,
        **overrides,
    }
    places = ["--config", PAGE, "--workdir", str(workdir)]
    return [*places, *(f"--set={key}={value}" for key, value in settings.items())]


@pytest.mark.sweep
@pytest.mark.parametrize("jobs", [0, 1])
def test_trains_judges_and_resumes(data_dir, tmp_path, monkeypatch, capsys, jobs):
    folder = tmp_path / "sizes"
    line = [*arguments(folder, data_dir), f"--jobs={jobs}"]
    with blank_pictures():
        any_size.main(line)
    first = capsys.readouterr().out
    metrics = json.loads((folder / "metrics.json").read_text())
    found = {(each["way"], *each["size"]): each["accuracy"] for each in metrics["entries"]}
    sizes = [(8, 8), (8, 12)]
    ways = [(way, *size) for way in ("flexible", "resized") for size in sizes]
    assert list(found) == [*ways, ("separate", 8, 12)]
    place = folder / "MLPMixer" / "seed0"
    for way, run in (("flexible", "flexible"), ("resized", "resized")):
        own = json.loads((place / run / "metrics.json").read_text())
        assert found[way, 8, 8] == own["test"]["accuracy"]
    separate = json.loads((place / "separate" / "8x12" / "metrics.json").read_text())
    assert found["separate", 8, 12] == separate["test"]["accuracy"]
    flexible = json.loads((place / "flexible" / "metrics.json").read_text())
    assert flexible["config"]["data"]["image_sizes"] == [8, 12]
    table = (folder / "table.md").read_text()
    assert len(table.splitlines()) == 2 + 3 and table.strip() in first
    lost = (found["separate", 8, 12] - found["flexible", 8, 12]) * 100
    assert f"| {lost:.1f} |" in (folder / "lost.md").read_text()
    # Again: every run is finished, and nothing is evaluated twice.
    monkeypatch.setattr(any_size, "train", None)
    monkeypatch.setattr(any_size, "train_in_processes", lambda runs, jobs, after_each: None)
    any_size.main(line)
    assert table.strip() in capsys.readouterr().out
    assert (folder / "any_size.png").stat().st_size > 10_000


def test_entries_are_in_the_order_of_the_page_whichever_run_finished_first(data_dir):
    line = [*arguments("x", data_dir, sizes="(8, 12)", separate_sizes="(12, 8)"), "--jobs=2"]
    runs = list(any_size._runs(any_size.any_size_options(None, line).config))
    expected = [
        {**case, "way": way, "size": size}
        for case, _, sizes in runs
        for size in sizes
        for way in ([case["way"], "recalibrated"] if case["way"] == "flexible" else [case["way"]])
    ]
    assert len(expected) == 8
    shuffled = [expected[place] for place in (6, 1, 4, 7, 0, 5, 3, 2)]
    assert any_size._in_order(shuffled, runs) == expected


def test_the_points_that_are_lost_are_paired_by_seed():
    def entry(way, size, seed, accuracy):
        case = {"architecture": "GMLP", "seed": seed, "way": way, "size": list(size)}
        return {**case, "accuracy": accuracy}

    entries = [
        entry("flexible", (8, 8), 0, 0.95),
        entry("resized", (8, 8), 0, 0.97),
        entry("flexible", (8, 8), 1, 0.98),
        entry("resized", (8, 8), 1, 0.97),
        entry("resized", (8, 8), 2, 0.10),  # its flexible model is not trained yet
        entry("flexible", (6, 8), 0, 0.90),
        entry("resized", (6, 8), 0, 0.20),  # at another size than its own: no ceiling
        entry("separate", (6, 8), 0, 0.94),
        entry("separate", (9, 9), 0, 0.94),
    ]
    assert any_size.lost_table(entries, (8, 8)).splitlines() == [
        "| points lost | 6 x 8 | 8 x 8 | 9 x 9 |",
        "|---|---:|---:|---:|",
        "| GMLP | 4.0 | 0.5 (-1.0 to 2.0) | - |",
    ]


def test_recalibrated_models_have_statistics_of_all_training_images(data_dir):
    overrides = {"data.data_dir": data_dir, "data.batch_size": 1437}  # the digits in one batch
    settings = [f"--set={key}={value}" for key, value in overrides.items()]
    page = any_size.any_size_options(None, ["--config", DIGITS, "--workdir", "x", *settings]).config
    config = any_size.single_run(page, "MLPMixer", 0)
    model = keras_mlp.ConvMixer.from_variant(
        "pico/2", image_shape=(8, 8, 1), num_layers=1, num_classes=10
    )
    own = any_size._recalibrated(model, (6, 8), config)
    assert own.image_shape == (6, 8, 1)
    images, _ = any_size.engine_module().load_splits(config.data, (6, 8, 1)).train.first(1437)
    batch_statistics = np.asarray(own(images, training=True))
    np.testing.assert_allclose(own(images, training=False), batch_statistics, rtol=0, atol=1e-4)
    elsewhere = keras_mlp.with_image_shape(model, (6, 8, 1))
    assert np.abs(elsewhere(images, training=False) - batch_statistics).max() > 1e-2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.image_sizes": "()"}, "`data.image_sizes` is empty"),
        ({"sizes": "(8, 9)"}, r"`sizes` holds \(9, 9\): .*The nearest"),
        ({"architectures": "('GMLPs',)"}, "Did you mean 'GMLP'"),
    ],
)
def test_what_cannot_be_ends_before_any_work(data_dir, tmp_path, overrides, message):
    with pytest.raises(SystemExit, match=message):
        any_size.main(arguments(tmp_path / "sizes", data_dir, **overrides))
    assert not (tmp_path / "sizes").exists()
