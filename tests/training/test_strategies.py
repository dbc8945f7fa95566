"""Two devices give what one gives, global clipping included. One process for each run."""

import pytest

from tests.training.processes import finish, metrics, weight_difference


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [
        ({"name": "sgd", "learning_rate": 0.1, "clip_norm": 0.2}, 1e-6),
        ({"name": "adamw", "learning_rate": 5e-3, "clip_norm": 0.2}, 1e-4),
    ],
)
def test_two_virtual_cpus_equal_one_device(change, tmp_path, optimizer, tolerance):
    one = finish(change(optimizer=optimizer), tmp_path, "one")
    two = finish(
        change(optimizer=optimizer, runtime={"strategy": "mirrored", "virtual_cpus": 2}),
        tmp_path,
        "two",
    )
    assert weight_difference(one, two) <= tolerance
    for split in ("accuracy", "examples"):
        assert metrics(one)["test"][split] == metrics(two)["test"][split]
    history = (one / "history.jsonl").read_text().splitlines()
    assert len(history) == 2
