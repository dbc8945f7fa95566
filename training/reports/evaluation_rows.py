"""Rows of an evaluation's tables, for pages and for the terminal."""

from collections.abc import Mapping
from typing import Any

LISTED_PAIRS = 10


def class_rows(evaluation: Mapping[str, Any], listed: int) -> list[tuple[str, str, str, str]]:
    """(class, precision, recall, number of images) of each class.

    Args:
        evaluation: the dict of `training.evaluate.evaluate_model`.
        listed: number of rows at most; of more classes, those with the lowest recall.
    """
    rows = [
        (name, share(each["precision"]), share(each["recall"]), f"{each['count']:,}")
        for name, each in zip(evaluation["classes"], evaluation["per_class"], strict=True)
    ]
    if len(rows) <= listed:
        return rows
    recalls = [each["recall"] for each in evaluation["per_class"]]
    worst = sorted(
        (i for i, recall in enumerate(recalls) if recall is not None), key=recalls.__getitem__
    )
    return [rows[i] for i in worst[:listed]]


def pair_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(truth, guess, number of images, share of the true class) of the most confused pairs."""
    counts = [
        (count, sum(row), true, taken)
        for true, row in enumerate(evaluation["confusion"])
        for taken, count in enumerate(row)
        if count and true != taken
    ]
    names = evaluation["classes"]
    return [
        (names[true], names[taken], f"{count:,}", share(count / total))
        for count, total, true, taken in sorted(counts, key=lambda each: -each[0])[:LISTED_PAIRS]
    ]


def share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"
