"""Draws the block of every architecture, and writes the parts of pages that are made from code:

python -m documentation.families
"""

import pathlib
from collections.abc import Callable

from documentation.best_results import best_table
from documentation.block_code import block_code, code_diff
from documentation.block_drawing import Column, drawing
from documentation.block_graph import block_graph
from documentation.family_tables import growth_table, parts_table, reuse_table
from documentation.made_parts import with_made_parts
from keras_mlp.analysis import weightless
from keras_mlp.models import ARCHITECTURES, VisionModel
from keras_mlp.whole_files import write_text

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGE = DOCS / "families.md"
README = DOCS.parent / "README.md"
REFERENCE = "ViT"
# Published sizes near ViT-S/16. Another architecture is shown in the first of its sizes.
_SIZES = {
    "ViT": "S/16",
    "MLPMixer": "S/16",
    "ResMLP": "S12",
    "GMLP": "S/16",
    "FFOnly": "linear_tiny",
    "VisionPermutator": "S/7",
    "RepMLPNet": "T224",
    "ConvMixer": "1024/20",
}


def sizes() -> dict[str, str]:
    """From the name of each architecture, ViT first, to the published size that is shown."""
    names = sorted(ARCHITECTURES, key=lambda name: name != REFERENCE)
    return {name: _SIZES.get(name, next(iter(ARCHITECTURES[name].variants))) for name in names}


def models() -> dict[str, VisionModel]:
    """From the name of each architecture to a model without values in its weights."""
    return {
        name: weightless(ARCHITECTURES[name].from_variant, size) for name, size in sizes().items()
    }


def drawings(shown: dict[str, VisionModel]) -> dict[pathlib.Path, str]:
    """The text of every drawing, by its path.

    Args:
        shown: of `models()`.
    """
    columns = {name: _column(name, model) for name, model in shown.items()}
    title = "The block of each architecture: which layers mix tokens and which mix channels"
    files = {DOCS / "blocks.svg": drawing(list(columns.values()), 4, title)}
    for name in columns.keys() - {REFERENCE}:
        pair = [columns[REFERENCE], columns[name]]
        files[DOCS / "blocks" / f"{name}.svg"] = drawing(pair, 2, f"{REFERENCE} and {name}")
    return files


def made_pages(shown: dict[str, VisionModel]) -> dict[pathlib.Path, str]:
    """The text of every page that has parts made from the code, by its path.

    Args:
        shown: of `models()`.

    Raises:
        ValueError: an architecture has no section on the page of the families.
    """
    titled = {f"{name} {sizes()[name]}": model for name, model in shown.items()}
    code = {name: block_code(model) for name, model in shown.items()}
    makers: dict[str, Callable[[str], str]] = {
        "code": lambda name: f"```python\n{code[name]}```",
        "diff": lambda name: f"```diff\n{code_diff(code[REFERENCE], code[name])}\n```",
        "parts": lambda name: parts_table(shown[name]),
        "reuse": lambda name: reuse_table(titled),
        "growth": lambda name: growth_table(titled),
        "best": lambda name: best_table(),
    }
    text = PAGE.read_text(encoding="utf-8")
    missing = [name for name in shown if f"<!-- made: parts {name} -->" not in text]
    if missing:
        raise ValueError(f"{PAGE} must have a section for each of {missing}.")
    return {
        page: with_made_parts(page.read_text(encoding="utf-8"), makers) for page in (PAGE, README)
    }


def _column(name: str, model: VisionModel) -> Column:
    block = model.blocks[len(model.blocks) // 2]
    _, *grid, channels = block.get_build_config()["input_shape"]
    where = f"{grid[0]} tokens" if len(grid) == 1 else " x ".join(map(str, grid))
    steps = block_graph(block, model.token_mixing)
    return Column(f"{name} {sizes()[name]}", f"{where} x {channels}", steps)


def main() -> None:
    shown = models()
    (DOCS / "blocks").mkdir(exist_ok=True)
    files = {**drawings(shown), **made_pages(shown)}
    for path, text in files.items():
        write_text(path, text)
        print(path)


if __name__ == "__main__":
    main()
