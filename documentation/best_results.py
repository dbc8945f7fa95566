"""The table of the README: each family with its best published figure, and ours."""

from documentation.cifar10_table import CIFAR10, mean_accuracy
from documentation.stored_studies import results_of
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.models import ARCHITECTURES
from keras_mlp.weights import presets

# The number of the paper on arXiv, and what mixes the tokens.
_FAMILIES = {
    "MLPMixer": ("2105.01601", "an MLP"),
    "ResMLP": ("2105.03404", "one linear layer"),
    "GMLP": ("2105.08050", "a gate"),
    "VisionPermutator": ("2106.12368", "rows and columns, each with channels"),
    "RepMLPNet": ("2112.11081", "matrices that convolutions fold into"),
    "FFOnly": ("2105.02723", "an MLP, after the channel MLP"),
    "ViT": ("2010.11929", "attention: the reference"),
    "ConvMixer": ("2201.09792", "a depthwise convolution"),
}


def best_table() -> str:
    """A row per architecture, as Markdown."""
    measured = results_of(CIFAR10)["architectures"]
    header = ["class", "paper", "what mixes the tokens", "ImageNet-1k, published", "CIFAR-10, ours"]
    return markdown_table(header, [_row(name, measured[name]) for name in ARCHITECTURES])


def _row(name: str, measured: dict) -> tuple[str, ...]:
    paper, mixing = _FAMILIES[name]
    rows = [row for row in presets(name) if row.top1 is not None]
    best = max(rows, key=lambda row: row.top1 or 0)
    return (
        f"`{name}`",
        f"[{paper}](https://arxiv.org/abs/{paper})",
        mixing,
        f"{best.top1:.1f}% ({best.variant})",
        f"{mean_accuracy(measured):.1%}",
    )
