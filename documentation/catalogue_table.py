"""The catalogue of published weights as a table of the site."""

from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.weights import presets
from keras_mlp.weights.preset import Preset

MARKER = "<!-- catalogue -->"
_HEADER = (
    *("name", "class", "size", "top-1", "pixels", "classes"),
    *("licence", "from", "mean, std"),
)


def catalogue_table() -> str:
    """A row per file; the page's script makes it searchable and sortable."""
    return markdown_table(_HEADER, [_row(row) for row in presets()])


def _row(row: Preset) -> tuple[str, ...]:
    address = row.url or row.page
    return (
        f"`{row.name}`",
        row.architecture,
        row.variant,
        "" if row.top1 is None else f"{row.top1:.2f}",
        str(row.image_size),
        str(row.num_classes),
        row.licence or "not stated",
        f"[file]({address})" if row.url else f"[page]({address})" if address else "",
        f"{_numbers(row.pixel_mean)}, {_numbers(row.pixel_std)}",
    )


def _numbers(value: float | tuple[float, ...]) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{each:g}" for each in values)
