"""Accuracy against the number of images, and on permuted images: two studies."""

import json

import pytest

from tests.training.blank_pictures import blank_pictures
from training import permuted, scaling
from training.config import Comparison, Optimizer
from training.studies.pace import with_steps

PAGE = "training/configs/compare_digits.py"


def command(data_dir, folder, *arguments):
    arguments = ["--config", PAGE, "--workdir", str(folder), *arguments]
    for override in (
        "architectures=('examples.comparators:plain_mlp',)",
        "epochs=1",
        f"data.data_dir={data_dir}",
    ):
        arguments += ["--set", override]
    return arguments


def stored_runs(folder):
    return json.loads((folder / "results.json").read_text())["runs"]


@pytest.fixture(scope="module")
def scaled(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scaling")
    options = ("--seeds", "0", "1", "--percent", "100", "10", "--steps", "12")
    arguments = command(data_dir, folder, *options)
    with blank_pictures():
        scaling.main(arguments)
    return folder, arguments


def test_every_size_has_the_same_steps(scaled):
    runs = stored_runs(scaled[0])
    assert [(run["train_examples"], run["seed"]) for run in runs] == [
        (140, 0),
        (140, 1),
        (1437, 0),
        (1437, 1),
    ]
    assert {run["steps"] for run in runs} == {12}
    for run in runs:
        part = "14_per_class" if run["train_examples"] == 140 else "all"
        seed = f"examples.comparators.plain_mlp/seed{run['seed']}"
        config = json.loads((scaled[0] / part / seed / "metrics.json").read_text())["config"]
        # The page warms up for three of its 80 epochs; here its one epoch is all warm-up.
        assert config["optimizer"]["warmup_steps"] == 12
        if part != "all":
            assert config["data"]["subset_seed"] == run["seed"]


def test_the_tables_come_from_the_stored_runs(scaled, capsys):
    table = (scaled[0] / "table.md").read_text()
    scaling.main(["--from", str(scaled[0] / "results.json")])
    assert table in capsys.readouterr().out
    first, _, row, *_ = table.splitlines()
    assert first == "| architecture | parameters | 140 images | 1,437 images | seeds |"
    for size, cell in zip((140, 1437), row.split(" | ")[2:4], strict=True):
        found = [
            run["test"]["accuracy"]
            for run in stored_runs(scaled[0])
            if run["train_examples"] == size
        ]
        assert cell == f"{sum(found) / 2:.1%} ({min(found):.1%} to {max(found):.1%})"
    assert (scaled[0] / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_done_is_not_done_again(scaled, capsys):
    scaling.main(scaled[1])
    assert capsys.readouterr().out.count("holds this run, finished") == 4


def test_a_perfect_score_has_a_logarithm():
    run = {
        "architecture": "a",
        "train_examples": 10,
        "test": {"accuracy": 1.0, "examples": 50},
    }
    assert scaling.errors_of([run]) == {"a": {10: [0.01]}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--percent", "0.1", "100"), "`--percent` 0.1 of 1437 images is less than one of each"),
        (("--set", "minutes=1"), "`minutes` must be 0"),
        (("--set", "optimizer.cooldown_epochs=1"), "`optimizer.cooldown_epochs` must be 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(data_dir, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        scaling.main(command(data_dir, tmp_path / "x", *options))
    assert not (tmp_path / "x").exists()


def test_the_warm_up_keeps_its_share():
    page = Comparison(epochs=8, optimizer=Optimizer(warmup_epochs=1))
    assert with_steps(page, 200).optimizer.warmup_steps == 25
    page = Comparison(epochs=8, optimizer=Optimizer(warmup_epochs=1, warmup_steps=7))
    assert with_steps(page, 200).optimizer.warmup_steps == 7
    page = Comparison(epochs=8, optimizer=Optimizer(warmup_epochs=0))
    assert with_steps(page, 200).optimizer.warmup_steps == 0


@pytest.mark.sweep
def test_three_orders_of_the_same_images(data_dir, tmp_path, capsys):
    folder = tmp_path / "permuted"
    with blank_pictures():
        permuted.main(command(data_dir, folder, "--seeds", "5", "--patch", "2"))
    runs = stored_runs(folder)
    assert [run["order"] for run in runs] == ["as they are", "patches", "pixels"]
    sides = {}
    for name in ("unpermuted", "patches", "pixels"):
        file = folder / name / "examples.comparators.plain_mlp/seed5/metrics.json"
        sides[name] = json.loads(file.read_text())["config"]["model"]["permute_patches"]
    assert sides == {"unpermuted": 0, "patches": 2, "pixels": 1}
    plain, patches, pixels = (run["test"]["accuracy"] for run in runs)
    row = (folder / "table.md").read_text().splitlines()[2]
    cells = f"{plain:.2%} | {patches:.2%} | {100 * (plain - patches):.2f} | {pixels:.2%} "
    assert row == (
        f"| examples.comparators:plain_mlp | {cells}| {100 * (plain - pixels):.2f} | 1 |"
    )
    capsys.readouterr()
    permuted.main(["--from", str(folder / "results.json")])
    assert row in capsys.readouterr().out
