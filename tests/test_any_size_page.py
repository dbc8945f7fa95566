"""The tables and the conclusions of docs/any_size.md are what the stored results give."""

import json
import pathlib
import statistics

import pytest

from training.any_size import any_size_table, lost_table
from training.reports.pictures import draw_any_size

ROOT = pathlib.Path(__file__).parents[1]
OWN = (8, 8)


def entries_of(name):
    text = (ROOT / f"docs/results/any_size_{name}.json").read_text(encoding="utf-8")
    return json.loads(text)["entries"]


STUDY, LONGER, BATCH_NORM = map(entries_of, ("digits", "digits_longer", "digits_batch_norm"))
# Longer runs of the same page, against the same models for one size each.
ALONE = [entry for entry in STUDY if entry["way"] != "flexible"]
AGAINST = [entry for entry in ALONE if entry["architecture"] == "MLPMixer"] + LONGER


@pytest.mark.parametrize(
    "table",
    [
        any_size_table(STUDY),
        lost_table(STUDY, OWN),
        any_size_table(LONGER),
        lost_table(AGAINST, OWN),
        any_size_table(BATCH_NORM),
    ],
    ids=["study", "lost", "longer", "longer lost", "batch norm"],
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


def test_the_study_is_whole():
    for architecture in ("MLPMixer", "GMLP"):
        own = [entry for entry in STUDY if entry["architecture"] == architecture]
        for way in ("flexible", "resized", "separate"):
            per_size = {}
            for entry in own:
                if entry["way"] == way:
                    per_size.setdefault(tuple(entry["size"]), []).append(entry["seed"])
            assert all(sorted(seeds) == [0, 1, 2] for seeds in per_size.values())
            assert len(per_size) >= (4 if way == "separate" else 8)


@pytest.mark.parametrize("architecture", ["MLPMixer", "GMLP"])
def test_the_conclusions_of_the_page_hold(architecture):
    """One model for all sizes is far above the resized one away from the native size."""
    for size in ([6, 6], [10, 10], [12, 12], [14, 14], [16, 16]):
        gained = mean(STUDY, architecture, "flexible", size) - mean(
            STUDY, architecture, "resized", size
        )
        assert gained > 1, size


def test_longer_training_meets_the_goal_at_square_sizes_only():
    def lost(entries, size):
        ceiling = "resized" if size == [8, 8] else "separate"
        own = mean(STUDY, "MLPMixer", ceiling, size)
        return own - mean(entries, "MLPMixer", "flexible", size)

    assert lost(STUDY, [8, 8]) > 0.5 and lost(STUDY, [6, 6]) > 1 and lost(STUDY, [8, 16]) > 1
    assert lost(LONGER, [8, 8]) <= 0.5 and lost(LONGER, [8, 16]) > 1
    assert all(lost(LONGER, [side, side]) <= 1 for side in (6, 12, 16))


@pytest.mark.parametrize("architecture", ["ConvMixer", "RepMLPNet"])
def test_recalibration_helps_at_every_size(architecture):
    for size in ([8, 8], [8, 16], [12, 12], [16, 16]):
        before, after = (
            mean(BATCH_NORM, architecture, way, size) for way in ("flexible", "recalibrated")
        )
        assert after > before, size


def test_the_picture_can_be_drawn_again(tmp_path):
    draw_any_size(tmp_path / "any_size.png", STUDY)
    stored = ROOT / "docs/any_size_digits.png"
    assert stored.stat().st_size > 10_000 and (tmp_path / "any_size.png").stat().st_size > 10_000
