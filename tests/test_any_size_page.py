"""The tables and the conclusions of docs/any_size.md are what the stored results give."""

import json
import pathlib
import statistics

import pytest

from training.any_size import any_size_table, lost_table
from training.reports.pictures import draw_any_size

ROOT = pathlib.Path(__file__).parents[1]
# The native size of each study of the two architectures.
OWN = {"fashion_mnist": (28, 28), "cifar10": (32, 32), "digits": (8, 8)}


def entries_of(name):
    text = (ROOT / f"docs/results/any_size_{name}.json").read_text(encoding="utf-8")
    return json.loads(text)["entries"]


STUDIES = {name: entries_of(name) for name in OWN}
# Longer runs of a flexible Mixer on the same page.
LONGER = {name: entries_of(f"{name}_longer") for name in ("fashion_mnist", "digits")}
BATCH_NORM = entries_of("digits_batch_norm")


def against_longer(name):
    """The longer runs, with the models for one size each that they are compared with."""
    alone = [entry for entry in STUDIES[name] if entry["way"] != "flexible"]
    return [entry for entry in alone if entry["architecture"] == "MLPMixer"] + LONGER[name]


@pytest.mark.parametrize(
    "table",
    [
        *map(any_size_table, STUDIES.values()),
        *(lost_table(STUDIES[name], own) for name, own in OWN.items()),
        *map(any_size_table, LONGER.values()),
        *(lost_table(against_longer(name), OWN[name]) for name in LONGER),
        any_size_table(BATCH_NORM),
    ],
    ids=[
        *STUDIES,
        *(f"{name} lost" for name in OWN),
        *(f"{name} longer" for name in LONGER),
        *(f"{name} longer lost" for name in LONGER),
        "batch norm",
    ],
)
def test_the_page_shows_what_is_stored(table):
    assert table in (ROOT / "docs/any_size.md").read_text(encoding="utf-8")


def mean(entries, architecture, way, size):
    found = [
        entry["accuracy"]
        for entry in entries
        if (entry["architecture"], entry["way"], entry["size"]) == (architecture, way, size)
    ]
    return 100 * statistics.mean(found)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("architecture", ["MLPMixer", "GMLP"])
def test_a_study_is_whole(name, architecture):
    seeds = {"flexible": {}, "resized": {}, "separate": {}}
    for entry in STUDIES[name]:
        if entry["architecture"] == architecture:
            seeds[entry["way"]].setdefault(tuple(entry["size"]), []).append(entry["seed"])
    for of_way in seeds.values():
        assert all(sorted(of_size) == [0, 1, 2] for of_size in of_way.values())
    assert len(seeds["flexible"]) >= 8 and OWN[name] in seeds["flexible"]
    assert seeds["flexible"].keys() == seeds["resized"].keys() > seeds["separate"].keys()
    assert len(seeds["separate"]) >= (2 if name == "cifar10" else 4)


def gained(name, architecture, size):
    """Points that the flexible model has more than the resized one."""
    entries = STUDIES[name]
    flexible = mean(entries, architecture, "flexible", list(size))
    return flexible - mean(entries, architecture, "resized", list(size))


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("architecture", ["MLPMixer", "GMLP"])
def test_the_conclusions_of_the_page_hold(name, architecture):
    """One model for all sizes is above the resized one, but at the native size and just below."""
    sizes = {tuple(entry["size"]) for entry in STUDIES[name]}
    below = {(24, 24), (28, 28)} if (name, architecture) == ("cifar10", "GMLP") else set()
    lost = below | {OWN[name]}
    assert {size for size in sizes if gained(name, architecture, size) < 0} == lost
    least = {"fashion_mnist": 1, "cifar10": 0.5, "digits": 1}[name]
    assert all(gained(name, architecture, size) > least for size in sizes - lost)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("architecture", ["MLPMixer", "GMLP"])
def test_the_goal_is_missed_on_equal_budgets(name, architecture):
    assert -gained(name, architecture, OWN[name]) > 0.5  # the resized model is the native one


def lost(name, entries, size):
    """Points that a flexible Mixer loses to the model for one size."""
    way = "resized" if size == list(OWN[name]) else "separate"
    own = mean(STUDIES[name], "MLPMixer", way, size)
    return own - mean(entries, "MLPMixer", "flexible", size)


def test_longer_training_meets_the_goal_at_every_size_of_fashion_mnist():
    sizes = {tuple(entry["size"]) for entry in STUDIES["fashion_mnist"]}
    assert {tuple(entry["size"]) for entry in LONGER["fashion_mnist"]} == sizes
    assert lost("fashion_mnist", LONGER["fashion_mnist"], [28, 56]) <= 0.5
    for side in (20, 28, 36, 56):
        assert lost("fashion_mnist", LONGER["fashion_mnist"], [side, side]) < 0


def test_longer_training_meets_the_goal_at_square_sizes_of_digits_only():
    before, after = (
        {size: lost("digits", entries, list(size)) for size in [(8, 8), (6, 6), (8, 16)]}
        for entries in (STUDIES["digits"], LONGER["digits"])
    )
    assert before[8, 8] > 0.5 and before[6, 6] > 1 and before[8, 16] > 1
    assert after[8, 8] <= 0.5 and after[8, 16] > 1
    assert all(lost("digits", LONGER["digits"], [side, side]) <= 1 for side in (6, 12, 16))


@pytest.mark.parametrize("architecture", ["ConvMixer", "RepMLPNet"])
def test_recalibration_helps_at_every_size(architecture):
    for size in ([8, 8], [8, 16], [12, 12], [16, 16]):
        before, after = (
            mean(BATCH_NORM, architecture, way, size) for way in ("flexible", "recalibrated")
        )
        assert after > before, size


@pytest.mark.parametrize("name", STUDIES)
def test_the_picture_can_be_drawn_again(name, tmp_path):
    draw_any_size(tmp_path / "any_size.png", STUDIES[name])
    stored = ROOT / f"docs/any_size_{name}.png"
    assert stored.stat().st_size > 10_000 and (tmp_path / "any_size.png").stat().st_size > 10_000
