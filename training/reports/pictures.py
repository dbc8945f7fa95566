"""Pictures of a run as PNG files."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from training.reports.plain_text import plain
from training.reports.saved_figure import save_figure


def draw_run(
    path: str | pathlib.Path,
    history: Sequence[dict[str, Any]],
    images: Iterable[np.ndarray],
    labels: Iterable[int],
    logits: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Draws learning curves, and a grid of test images with the model's predictions.

    Args:
        path: path of the PNG file.
        history: entries of `history.jsonl`.
        images: uint8 (N, H, W, C).
        labels: true classes, (N,).
        logits: the model's logits, (N, K).
        classes: names of the classes.
    """
    figure = matplotlib.figure.Figure(figsize=(12, 5), layout="constrained")
    # The stub does not know that two columns give an array.
    curves, grid = figure.subfigures(1, 2, width_ratios=(1, 1.15))  # type: ignore[misc]
    _draw_curves(curves, history)
    _draw_grid(grid, images, labels, logits, classes)
    save_figure(figure, path)


def draw_batch(
    path: str | pathlib.Path, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> None:
    """Draws the images of a training batch with their labels.

    Args:
        path: path of the PNG file.
        images: uint8 (N, H, W, C); at most 32 are drawn.
        labels: classes (N,), -1 for a damaged picture, or shares of the classes (N, K).
        classes: names of the classes.
    """
    figure = matplotlib.figure.Figure(figsize=(12, 7), layout="constrained")
    captions = [_describe_label(label, classes) for label in labels]
    _draw_tiles(figure, images, captions, fontsize=7)
    save_figure(figure, path)


def draw_predictions(
    path: str | pathlib.Path,
    images: Iterable[np.ndarray],
    labels: Iterable[int],
    logits: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Draws a grid of test images with the model's predictions; arguments as for `draw_run`."""
    figure = matplotlib.figure.Figure(figsize=(12, 7), layout="constrained")
    _draw_grid(figure, images, labels, logits, classes)
    save_figure(figure, path)


def _describe_label(label: np.ndarray, classes: Sequence[str]) -> str:
    if np.ndim(label) == 0:
        return plain(classes[int(label)]) if label >= 0 else "(damaged)"
    largest = [number for number in np.argsort(-label, kind="stable")[:2] if label[number] > 0]
    if len(largest) == 1:
        return plain(classes[largest[0]])
    return "\n".join(f"{plain(classes[n])} {label[n]:.2f}" for n in largest) or "(damaged)"


def _draw_curves(figure: matplotlib.figure.FigureBase, history: Sequence[dict[str, Any]]) -> None:
    epochs = [entry["epoch"] for entry in history]
    for axes, key in zip(figure.subplots(2, 1, sharex=True), ("loss", "accuracy"), strict=True):
        for part, style in (("train", "--"), ("validation", "-")):
            if part in history[-1]:
                # None, for a value that was not finite, becomes NaN, which is not drawn.
                values = np.array([entry[part][key] for entry in history], float)
                axes.plot(epochs, values, style, marker=".", label=part)
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
    axes.set_xlabel("epoch")
    axes.legend()


def _draw_grid(
    figure: matplotlib.figure.FigureBase,
    images: Iterable[np.ndarray],
    labels: Iterable[int],
    logits: np.ndarray,
    classes: Sequence[str],
) -> None:
    captions, colors = [], []
    for label, prediction in zip(labels, np.argmax(logits, axis=-1), strict=False):
        right = label == prediction
        found = plain(classes[prediction])
        captions.append(found if right else f"{found} ({plain(classes[label])})")
        colors.append("black" if right else "red")
    _draw_tiles(figure, images, captions, colors, fontsize=9)
    figure.suptitle("test images: prediction (truth, if different)", fontsize=10)


def _draw_tiles(
    figure: matplotlib.figure.FigureBase,
    images: Iterable[np.ndarray],
    captions: Sequence[str],
    colors: Sequence[str] | None = None,
    *,
    fontsize: int,
) -> None:
    """Draws up to 4 rows of 8 images with captions above them.

    All are in one system of axes: one for each image would take most of the time of a short run.
    """
    rows, columns, row_height, side = 4, 8, 1.15, 0.9
    axes = figure.subplots()
    axes.axis("off")
    tiles = zip(range(rows * columns), images, captions, strict=False)
    for number, image, caption in tiles:
        row, column = divmod(number, columns)
        height, width = (side * size / max(image.shape[:2]) for size in image.shape[:2])
        middle, bottom = column + 0.5, (row + 1) * row_height
        axes.imshow(
            image.squeeze(),
            cmap="gray_r" if image.shape[-1] == 1 else None,
            extent=(middle - width / 2, middle + width / 2, bottom, bottom - height),
        )
        axes.text(
            middle,
            bottom - height - 0.02,
            caption,
            ha="center",
            va="bottom",
            fontsize=fontsize,
            color=colors[number] if colors else "black",
        )
    axes.set(xlim=(0, columns), ylim=(rows * row_height, 0))


def draw_image_sizes(path: str | pathlib.Path, entries: Sequence[dict[str, Any]]) -> None:
    """Draws accuracy by image size, with a panel per architecture and a colour per method.

    Args:
        path: path of the PNG file.
        entries: dicts with `architecture`, `size`, `method`, `before` and `after`.
    """
    names = list(dict.fromkeys(entry["architecture"] for entry in entries))
    figure = matplotlib.figure.Figure(figsize=(3.6 * len(names), 3.8), layout="constrained")
    for axes, name in zip(
        np.ravel(figure.subplots(1, len(names), sharey=True)), names, strict=True
    ):
        _draw_sizes(axes, [entry for entry in entries if entry["architecture"] == name])
        axes.set_title(name)
    figure.axes[0].set_ylabel("test accuracy (filled: fine-tuned)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save_figure(figure, path)


def _draw_sizes(axes: matplotlib.axes.Axes, entries: Sequence[dict[str, Any]]) -> None:
    sizes = list(dict.fromkeys(tuple(entry["size"]) for entry in entries))
    for color, method in enumerate(dict.fromkeys(entry["method"] for entry in entries)):
        own = [entry for entry in entries if entry["method"] == method]
        places = [sizes.index(tuple(entry["size"])) for entry in own]
        shift = 0.12 * (color - 1)
        for key, face in (("before", "none"), ("after", f"C{color}")):
            axes.scatter(
                np.add(places, shift),
                [entry[key] for entry in own],
                edgecolors=f"C{color}",
                facecolors=face,
                label=method if key == "after" else None,
            )
    axes.set_xticks(range(len(sizes)), [f"{height} x {width}" for height, width in sizes])
    axes.tick_params(axis="x", rotation=45)
    axes.grid(alpha=0.3)


def draw_any_size(path: str | pathlib.Path, entries: Sequence[dict[str, Any]]) -> None:
    """Draws mean accuracy against the number of pixels, with a panel per architecture.

    Args:
        path: path of the PNG file.
        entries: dicts with `architecture`, `way`, `size` and `accuracy`.
    """
    names = list(dict.fromkeys(entry["architecture"] for entry in entries))
    figure = matplotlib.figure.Figure(figsize=(5 * len(names), 3.8), layout="constrained")
    for axes, name in zip(
        np.ravel(figure.subplots(1, len(names), sharey=True)), names, strict=True
    ):
        own = [entry for entry in entries if entry["architecture"] == name]
        for way in dict.fromkeys(entry["way"] for entry in own):
            found: dict[tuple[int, ...], list[float]] = {}
            for entry in own:
                if entry["way"] == way:
                    found.setdefault(tuple(entry["size"]), []).append(entry["accuracy"])
            sizes = sorted(found, key=np.prod)
            sides = [float(np.sqrt(np.prod(size))) for size in sizes]
            axes.plot(sides, [np.mean(found[size]) for size in sizes], "o-", label=way)
        axes.set_title(name)
        axes.set_xlabel("side in pixels (of the square of equal area)")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy")
    figure.axes[0].legend()
    save_figure(figure, path)
