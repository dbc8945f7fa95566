"""Every architecture on CIFAR-10: the table of docs/accelerators.md, from two stored runs."""

import collections
import statistics
from collections.abc import Mapping
from typing import Any

from documentation.stored_studies import results_of
from keras_mlp.analysis.markdown import markdown_table

CIFAR10 = "cifar10_families_h200"
SHORT = "cifar10_families_18_epochs_h200"


def cifar10_table() -> str:
    """A row per architecture, the most accurate first, as Markdown."""
    short = results_of(SHORT)["architectures"]
    (short_epochs,) = {each["epochs"] for each in short.values()}
    found = results_of(CIFAR10)["architectures"]
    header = [
        "",
        "parameters",
        "epochs",
        "top-1, mean",
        "lowest",
        "highest",
        "seconds",
        f"top-1 after {short_epochs} epochs",
    ]
    ranked = sorted(found, key=lambda name: -mean_accuracy(found[name]))
    return markdown_table(header, [_row(name, found[name], short[name]) for name in ranked])


def epochs_told() -> str:
    """How many epochs the models were trained, and which of them were trained fewer."""
    epochs = {name: each["epochs"] for name, each in results_of(CIFAR10)["architectures"].items()}
    ((usual, _),) = collections.Counter(epochs.values()).most_common(1)
    others = [f"`{name}`: {count}" for name, count in epochs.items() if count != usual]
    return f"{usual} epochs" + (f" ({', '.join(others)})" if others else "")


def mean_accuracy(result: Mapping[str, Any]) -> float:
    """The mean over seeds of the accuracy on the test split."""
    return statistics.mean(accuracies(result))


def accuracies(result: Mapping[str, Any]) -> list[float]:
    """The accuracy on the test split, one for each seed."""
    return [each["accuracy"] for each in result["test"]]


def _row(name: str, result: Mapping[str, Any], short: Mapping[str, Any]) -> tuple[str, ...]:
    own = accuracies(result)
    return (
        f"`{name}`",
        f"{result['parameters']:,}",
        str(result["epochs"]),
        f"{mean_accuracy(result):.2%}",
        f"{min(own):.2%}",
        f"{max(own):.2%}",
        f"{result['train_seconds']:.1f}",
        f"{mean_accuracy(short):.2%}",
    )
