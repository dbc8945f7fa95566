"""One model for all sizes against resized ones and one for each size."""

import json

import pytest

from tests.training.blank_pictures import blank_pictures
from training import any_size

PAGE = "training/configs/any_size.py"


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


@pytest.mark.slow
def test_trains_judges_and_resumes(data_dir, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sizes"
    with blank_pictures():
        any_size.main(arguments(folder, data_dir))
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
    # Again: every run is finished, and nothing is evaluated twice.
    monkeypatch.setattr(any_size, "train", None)
    any_size.main(arguments(folder, data_dir))
    assert table.strip() in capsys.readouterr().out
    assert (folder / "any_size.png").stat().st_size > 10_000


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
