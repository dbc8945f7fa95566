"""What the sums over an evaluation say."""

import typing
from collections.abc import Iterable


def means(sums: Iterable[typing.Any], num_classes: int) -> dict[str, typing.Any]:
    """The means of an evaluation.

    Args:
        sums: four scalars: the summed loss, the correct predictions, the labels among the top 5,
            and the examples, of which there is at least one.
        num_classes: K.

    Returns:
        A dict with `loss`, `accuracy`, `examples` and, for more than 5 classes, `top5_accuracy`.
    """
    loss, correct, top5, examples = (float(each) for each in sums)
    found = {
        "loss": loss / examples,
        "accuracy": correct / examples,
        "examples": int(examples),
    }
    return found if num_classes <= 5 else {**found, "top5_accuracy": top5 / examples}
