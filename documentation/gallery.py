"""Draws the pictures of docs/gallery.md from the artefacts in saved_models/, and writes its tables:

python -m documentation.gallery
"""

import argparse
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from documentation import gallery_pictures as draw
from documentation.gallery_pictures import Trained, trained
from documentation.made_parts import with_made_parts
from documentation.panel_picture import Row, draw_panels
from keras_mlp.analysis import TokenInfluence, token_influence
from keras_mlp.analysis.markdown import markdown_table
from keras_mlp.whole_files import write_text

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGE = DOCS / "gallery.md"
PICTURES = DOCS / "gallery"
# From the folder of an artefact to what the page calls it.
LABELS = {
    "mixer_fashion_mnist": "MLPMixer",
    "resmlp_fashion_mnist": "ResMLP",
    "gmlp_fashion_mnist": "GMLP",
    "ffonly_fashion_mnist": "FFOnly",
    "vip_fashion_mnist": "VisionPermutator",
    "repmlpnet_fashion_mnist": "RepMLPNet",
    "vit_fashion_mnist": "ViT",
    "repmlpnet_cifar10": "RepMLPNet, CIFAR-10",
    "vip_cifar10": "VisionPermutator, CIFAR-10",
    "gmlp_cifar10": "GMLP, CIFAR-10",
    "mixer_digits_any_size": "MLPMixer, digits",
}
CLOTHES = tuple(name for name in LABELS if name.endswith("_fashion_mnist"))
CIFAR10, DIGITS = "repmlpnet_cifar10", "mixer_digits_any_size"
IMAGES = 8  # test images that influence is measured on
SIZES = ((8, 8), (12, 12), (16, 16))  # of images in pixels, (height, width)
TEST_IMAGES = (0, 2, 5, 11)  # a coat, a boot, trousers and a bag
SIDE = 96  # of photographs in pixels
BLOCKS = {
    "stage 0, first": "stage_0_block_0",
    "stage 0, last": "stage_0_block_2",
    "stage 1, third": "stage_1_block_2",
    "stage 1, last": "stage_1_block_5",
    "stage 2, last": "stage_2_block_1",
}

# From a label and the (h, w) of a grid to the influence in each block on that grid.
Stages = dict[tuple[str, tuple[int, int]], list[TokenInfluence]]


def stages(shown: Trained) -> Stages:
    """What each block of a model reads, stage by stage."""
    found: Stages = {}
    for i in range(len(shown.model.blocks)):
        influence = token_influence(shown.model, shown.images[:IMAGES], i)
        height, width = influence.shares.shape[:2]
        found.setdefault((shown.label, (height, width)), []).append(influence)
    return found


def distances(known: Stages) -> str:
    """A table: how far the blocks of each stage read, in tokens."""
    columns = max(map(len, known.values()))
    header = ["model", "tokens", "all alike", *map(str, range(columns))]
    rows = []
    for (label, grid), own in known.items():
        cells = [f"{each.distance:.2f}" for each in own]
        empty = [""] * (columns - len(own))
        rows.append([label, f"{grid[0]} x {grid[1]}", f"{_even(grid):.2f}", *cells, *empty])
    return markdown_table(header, rows)


def pictures(models: Mapping[str, Trained], known: Stages) -> dict[str, list[Row]]:
    """From the name of each picture to its rows.

    Args:
        models: from each name in `LABELS` to its artefact.
        known: of `stages`, of all models.
    """
    clothes = [models[name] for name in CLOTHES]
    labelled = {_stage_label(known, stage): own for stage, own in known.items()}
    return {
        "reach": draw.reach(labelled),
        "mixer": draw.hidden_units(models["mixer_fashion_mnist"]),
        "sizes": draw.sizes(models[DIGITS], SIZES),
        "resmlp": draw.output_tokens(models["resmlp_fashion_mnist"]),
        "gmlp": draw.output_tokens(models["gmlp_fashion_mnist"]),
        "ffonly": draw.hidden_units(models["ffonly_fashion_mnist"]),
        "vip": draw.rows_columns_channels(models["vip_fashion_mnist"]),
        "repmlpnet": draw.first_matrices(models[CIFAR10]),
        "vit": draw.attention(models["vit_fashion_mnist"]),
        "patches": draw.patch_filters([*clothes, models[CIFAR10]]),
        "features": draw.colours(clothes, TEST_IMAGES),
        "photographs": draw.photograph_colours(models[CIFAR10], SIDE, BLOCKS),
    }


def _stage_label(known: Stages, stage: tuple[str, tuple[int, int]]) -> str:
    label, (height, width) = stage
    several = sum(other == label for other, _ in known) > 1
    return f"{label}\n{height} x {width}" if several else label


def _even(grid: tuple[int, int]) -> float:
    """The distance of a position that reads all alike."""
    tokens = grid[0] * grid[1]
    return TokenInfluence(np.full((*grid, *grid), 1 / tokens, "float32")).distance


def within(models: Sequence[Trained]) -> str:
    """A table: which share of the variance of features is between the tokens of one image."""
    rows = [
        [shown.label, *(f"{share:.0%}" for share in draw.shares_within(shown))] for shown in models
    ]
    return markdown_table(["model", "after the first block", "after the last block"], rows)


def neighbours(shown: Trained) -> str:
    """A table: how much the matrices of a RepMLPNet prefer neighbours."""
    header = ["block", "even weights", "matrices alone", "with the convolutions"]
    rows = [
        [name.replace("_", " "), *(f"{share:.0%}" for share in shares)]
        for name, shares in draw.neighbour_shares(shown).items()
    ]
    return markdown_table(header, rows)


def made_page(models: Mapping[str, Trained], known: Stages) -> str:
    """The text of the page; arguments as for `pictures`."""
    makers: dict[str, Callable[[str], str]] = {
        "distances": lambda _: distances(known),
        "neighbours": lambda _: neighbours(models[CIFAR10]),
        "within": lambda _: within([models[name] for name in CLOTHES]),
    }
    return with_made_parts(PAGE.read_text(encoding="utf-8"), makers)


def main() -> None:
    """Writes pictures and page, and prints their paths."""
    argparse.ArgumentParser(
        prog="python -m documentation.gallery", description=__doc__
    ).parse_args()
    models = {name: trained(name, label) for name, label in LABELS.items()}
    known: Stages = {}
    for shown in models.values():
        known.update(stages(shown))
    drawn, page = pictures(models, known), made_page(models, known)
    PICTURES.mkdir(exist_ok=True)
    for name, rows in drawn.items():
        draw_panels(PICTURES / f"{name}.png", rows)
        print(PICTURES / f"{name}.png")
    write_text(PAGE, page)
    print(PAGE)


if __name__ == "__main__":
    main()
