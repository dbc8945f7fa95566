"""The pictures of docs/gallery.md: what is drawn of which trained model."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from PIL import Image

from documentation.attention_maps import mean_attention
from documentation.feature_colours import feature_colours
from documentation.panel_picture import Panel, Row
from examples.sample_pictures import photographs
from keras_mlp import deploy, with_image_shape
from keras_mlp.analysis import TokenInfluence, token_mixing_maps
from keras_mlp.analysis.tiles import tiled, tiled_picture
from keras_mlp.golden import GOLDEN_FILE
from keras_mlp.models import VisionModel
from keras_mlp.typing import Array

ROOT = pathlib.Path(__file__).parents[1]
_HORSE = ROOT / "examples" / "pictures" / "horse.png"
_TILES = 4  # rows and columns of maps in a panel
_PER_ROW = 4  # panels, where one panel holds many maps
# Between maps of about 48 pixels: pixels, and their grey level.
_GAP = 3, 140


@dataclasses.dataclass(frozen=True)
class Trained:
    """An artefact.

    Attributes:
        label: what the page calls it.
        model: its model, as it was trained.
        images: the uint8 test images that it comes with, (N, H, W, channels).
    """

    label: str
    model: VisionModel
    images: Array


def trained(name: str, label: str) -> Trained:
    """The artefact in a folder of saved_models/."""
    folder = ROOT / "saved_models" / name
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    with np.load(folder / GOLDEN_FILE) as golden:
        images = golden["images"]
    return Trained(label, model, images)


def reach(stages: Mapping[str, Sequence[TokenInfluence]]) -> list[Row]:
    """What each block reads, by its offset from the position that reads; a row for each stage."""
    rows: list[Row] = []
    numbered = 0  # columns that have a title
    for label, own in stages.items():
        maps = [tiled_picture(each.by_offset()[None]) for each in own]
        titles = [str(i) if i >= numbered else "" for i in range(len(maps))]
        rows.append(Row(label, _panels(titles, maps)))
        numbered = max(numbered, len(maps))
    return rows


def hidden_units(shown: Trained) -> list[Row]:
    """The hidden units of each token MLP with the largest weights."""

    def maps(block: int) -> Array:
        return token_mixing_maps(shown.model, block, units=_TILES**2, order="norm")

    return _block_by_block(shown.model, maps)


def output_tokens(shown: Trained) -> list[Row]:
    """For each output token of each block, at its place, the weights with which it reads."""
    return _block_by_block(shown.model, lambda block: token_mixing_maps(shown.model, block))


def attention(shown: Trained) -> list[Row]:
    """For each token of each block, at its place, its mean attention; then the class token's."""
    means = [mean_attention(shown.model, shown.images, i) for i in range(len(shown.model.blocks))]
    titles = [f"block {i}" for i in range(len(means))]
    return [
        Row("tokens", _panels(titles, [tiled_picture(tokens, *_GAP) for tokens, _ in means])),
        Row("class token", _panels([], [tiled_picture(own) for _, own in means])),
    ]


def first_matrices(shown: Trained) -> list[Row]:
    """What some output pixels read by the first matrix of each block of a deployed RepMLPNet."""
    stages: dict[str, list[Array]] = {}
    model = deploy(shown.model)
    for block in model.blocks:
        height, width = block.repmlp.partition
        maps = token_mixing_maps(model, block.name)[: height * width]
        stage = f"{block.name.partition('_block')[0].replace('_', ' ')}\n{height} x {width}"
        stages.setdefault(stage, []).append(tiled_picture(_some_outputs(maps), *_GAP))
    return [
        Row(label, _panels([f"block {i}" for i in range(len(own))], own))
        for label, own in stages.items()
    ]


def neighbour_shares(shown: Trained) -> dict[str, tuple[float, float, float]]:
    """Which share of a pixel's absolute weights is for the 3 x 3 pixels around it, on average.

    Returns:
        For each block of a RepMLPNet: of even weights, of its matrices as they are trained, and of
        the matrices with the convolutions that deploying folds into them.
    """
    deployed = deploy(shown.model)
    shares = {}
    for block in shown.model.blocks:
        height, width = block.repmlp.partition
        rows, columns = np.indices((height, width)).reshape(2, -1)
        distances = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
        near = distances <= 1

        def share(maps: Array, near: Array = near) -> float:
            weights = np.abs(maps).reshape(-1, *near.shape)  # (matrices, output, input)
            return float(((weights * near).sum(axis=-1) / weights.sum(axis=-1)).mean())

        maps = [token_mixing_maps(model, block.name) for model in (shown.model, deployed)]
        shares[block.name] = (share(np.ones_like(maps[0])), share(maps[0]), share(maps[1]))
    return shares


def rows_columns_channels(shown: Trained) -> list[Row]:
    """How strongly Vision Permutator's rows read rows, and columns columns; its channel matrix."""
    rows: list[Array] = []
    columns: list[Array] = []
    channels: list[Array] = []
    for i, block in enumerate(shown.model.blocks):
        side = block.permute_mlp.grid[0]
        for own, matrix in zip((rows, columns), token_mixing_maps(shown.model, i), strict=True):
            own.append(tiled_picture(_norms(matrix, side)[None]))
        channels.append(tiled_picture(np.asarray(block.permute_mlp.channel.kernel).T[None]))
    titles = [f"block {i}" for i in range(len(channels))]
    return [
        Row("rows", _panels(titles, rows)),
        Row("columns", _panels([], columns)),
        Row("channels", _panels([], channels)),
    ]


def sizes(shown: Trained, image_sizes: Sequence[tuple[int, int]]) -> list[Row]:
    """The same hidden units of the first block at several image sizes."""
    norms = np.square(token_mixing_maps(shown.model, 0)).sum(axis=(1, 2))
    chosen = np.argsort(-norms, kind="stable")[: _TILES**2]
    panels = []
    for height, width in image_sizes:
        model = with_image_shape(shown.model, (height, width, shown.images.shape[-1]))
        maps = token_mixing_maps(model, 0)[chosen]
        panels.append(Panel(f"{height} x {width} pixels", tiled_picture(maps, *_GAP)))
    return [Row("", panels)]


def patch_filters(models: Sequence[Trained]) -> list[Row]:
    """The filters of each patch embedding with the largest weights."""
    panels = [Panel(shown.label, _filters(shown.model)) for shown in models]
    return _wrapped(panels)


def colours(models: Sequence[Trained], pictures: Sequence[int]) -> list[Row]:
    """Test images, and their features after the first and after the last block of each model.

    Args:
        models: with the same test images.
        pictures: numbers of test images.
    """
    images = [np.repeat(models[0].images[i], 3, axis=-1) for i in pictures]
    titles = ["first block", *[""] * (len(pictures) - 1), "last block"]
    rows = [Row("", _panels(titles, [*images, *images]))]
    for shown in models:
        names = _ends(shown.model)
        taps = shown.model.features(names)(shown.images)
        first, last = (feature_colours(np.asarray(taps[name])) for name in names)
        maps = [own[i] for own in (first, last) for i in pictures]
        rows.append(Row(shown.label, _panels([], maps)))
    return rows


def shares_within(shown: Trained) -> list[float]:
    """Which share of the variance of features is between tokens of one image, not between images.

    Returns:
        Shares after the first and after the last block.
    """
    names = _ends(shown.model)
    taps = shown.model.features(names)(shown.images)
    return [_share_within(np.asarray(taps[name], "float64")) for name in names]


def photograph_colours(shown: Trained, side: int, blocks: Mapping[str, str]) -> list[Row]:
    """Photographs, and their features after some blocks.

    Args:
        shown: takes images in colour, of any size.
        side: height and width that the photographs are given, in pixels.
        blocks: from a title to the name of a block.
    """
    taps = shown.model.at((side, side, 3)).features(list(blocks.values()))
    rows: list[Row] = []
    for photograph in _photographs(side):
        features = taps(photograph[None])
        maps = [feature_colours(np.asarray(features[name]))[0] for name in blocks.values()]
        titles = [] if rows else ["photograph", *blocks]
        rows.append(Row("", _panels(titles, [photograph, *maps])))
    return rows


def _ends(model: VisionModel) -> list[str]:
    """The names of the first and of the last block."""
    return [model.blocks[0].name, model.blocks[-1].name]


def _share_within(features: Array) -> float:
    total = np.square(features - features.mean(axis=(0, 1, 2))).sum()
    within = np.square(features - features.mean(axis=(1, 2), keepdims=True)).sum()
    return float(within / total)


def _photographs(side: int) -> list[Array]:
    with Image.open(_HORSE) as horse:
        found = [photographs()["flower"], horse.convert("RGB")]
    return [np.asarray(_square(each).resize((side, side))) for each in found]


def _square(picture: Image.Image) -> Image.Image:
    """The middle of a picture."""
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


def _panels(titles: Sequence[str], images: Sequence[Array]) -> list[Panel]:
    """Images with titles; those without one come last."""
    missing = [""] * (len(images) - len(titles))
    return [Panel(*each) for each in zip([*titles, *missing], images, strict=True)]


def _block_by_block(model: VisionModel, maps: Callable[[int], Array]) -> list[Row]:
    count = len(model.blocks)
    return _wrapped([Panel(f"block {i}", tiled_picture(maps(i), *_GAP)) for i in range(count)])


def _wrapped(panels: Sequence[Panel]) -> list[Row]:
    """Rows of about equal length."""
    length = -(-len(panels) // -(-len(panels) // _PER_ROW))
    return [Row("", panels[at : at + length]) for at in range(0, len(panels), length)]


def _some_outputs(maps: Array) -> Array:
    """Of maps (h * w, h, w), those of at most 4 x 4 evenly spaced output positions."""
    height, width = maps.shape[1:]
    places = np.ix_(
        *(np.arange(side)[side // _TILES // 2 :: side // _TILES] for side in maps.shape[1:])
    )
    return maps.reshape(height, width, height, width)[places].reshape(-1, height, width)


def _norms(matrix: Array, lines: int) -> Array:
    """Norms (lines, lines) of the parts of a matrix over lines of a map and their channels."""
    channels = len(matrix) // lines
    parts = matrix.reshape(lines, channels, lines, channels)
    return np.sqrt(np.square(parts).sum(axis=(1, 3)))


def _filters(model: VisionModel) -> Array:
    """The largest filters: grey ones blue below zero and red above, colours around grey."""
    kernel = next(each for each in model.weights if each.path == model.input_kernel)
    filters = np.moveaxis(np.asarray(kernel), -1, 0)
    largest = np.argsort(-np.square(filters).sum(axis=(1, 2, 3)), kind="stable")[: _TILES**2]
    filters = filters[largest]
    if filters.shape[-1] == 1:
        return tiled_picture(filters[..., 0], *_GAP)
    peaks = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return tiled(np.rint(127.5 * (1 + filters / peaks)).astype("uint8"), *_GAP)
