"""Accuracies of ways to train, as a table."""

import statistics
from collections.abc import Mapping, Sequence


def accuracy_table(accuracy: Mapping[str, Sequence[float]]) -> str:
    """A Markdown table of the three ways: mean and range over seeds."""
    lines = ["| way | test accuracy | lowest | highest |", "|---|---|---|---|"]
    for way, values in accuracy.items():
        figures = statistics.mean(values), min(values), max(values)
        lines.append(f"| {way} | " + " | ".join(f"{figure:.2%}" for figure in figures) + " |")
    return "\n".join(lines)
