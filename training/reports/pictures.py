"""Pictures of a run, drawn into PNG files."""

import matplotlib.figure
import numpy as np

from keras_mlp.whole_files import whole_file


def draw_run(path, history, images, labels, logits, classes):
    """Learning curves, and a grid of test images with what the model says of them.

    Args:
        path: of the PNG file.
        history: entries of `history.jsonl`.
        images: uint8, (N, H, W, C); labels (N,) and logits (N, K) belong to them.
        labels: true classes.
        logits: of the model.
        classes: names of the classes.
    """
    figure = matplotlib.figure.Figure(figsize=(12, 5), layout="constrained")
    curves, grid = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    _draw_curves(curves, history)
    _draw_grid(grid, images, labels, logits, classes)
    with whole_file(path) as file:
        figure.savefig(file, dpi=110)


def draw_batch(path, images, labels, classes):
    """The images of a batch, as the model is given them, with what their labels say.

    Args:
        path: of the PNG file.
        images: uint8, (N, H, W, C); at most 32 are drawn.
        labels: classes (N,), of which -1 is none, or their shares (N, K).
        classes: names of the classes.
    """
    figure = matplotlib.figure.Figure(figsize=(12, 7), layout="constrained")
    all_axes = figure.subplots(4, 8).ravel()
    for axes in all_axes:
        axes.axis("off")
    for axes, image, label in zip(all_axes, images, labels, strict=False):
        _show(axes, image)
        axes.set_title(_describe_label(label, classes), fontsize=7)
    with whole_file(path) as file:
        figure.savefig(file, dpi=110)


def draw_predictions(path, images, labels, logits, classes):
    """A grid of test images with what the model says of them; arguments as for `draw_run`."""
    figure = matplotlib.figure.Figure(figsize=(12, 7), layout="constrained")
    _draw_grid(figure, images, labels, logits, classes)
    with whole_file(path) as file:
        figure.savefig(file, dpi=110)


def _describe_label(label, classes):
    if np.ndim(label) == 0:
        return classes[label] if label >= 0 else "(damaged)"
    largest = [number for number in np.argsort(-label, kind="stable")[:2] if label[number] > 0]
    if len(largest) == 1:
        return classes[largest[0]]
    return "\n".join(f"{classes[n]} {label[n]:.2f}" for n in largest) or "(damaged)"


def _show(axes, image):
    axes.imshow(image.squeeze(), cmap="gray_r" if image.shape[-1] == 1 else None)


def _draw_curves(figure, history):
    epochs = [entry["epoch"] for entry in history]
    for axes, key in zip(figure.subplots(2, 1, sharex=True), ("loss", "accuracy"), strict=True):
        for part, style in (("train", "--"), ("validation", "-")):
            if part in history[-1]:
                values = [entry[part][key] for entry in history]
                axes.plot(epochs, values, style, marker=".", label=part)
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
    axes.set_xlabel("epoch")
    axes.legend()


def _draw_grid(figure, images, labels, logits, classes, rows=4, columns=8):
    all_axes = figure.subplots(rows, columns).ravel()
    predictions = np.argmax(logits, axis=-1)
    for axes in all_axes:
        axes.axis("off")
    for axes, image, label, prediction in zip(all_axes, images, labels, predictions, strict=False):
        _show(axes, image)
        right = label == prediction
        title = classes[prediction] if right else f"{classes[prediction]} ({classes[label]})"
        axes.set_title(title, fontsize=9, color="black" if right else "red")
    figure.suptitle("test images: prediction (truth, where it differs)", fontsize=10)


def draw_image_sizes(path, entries):
    """Accuracy at each image size, one panel per architecture, one colour per method.

    Args:
        path: of the PNG file.
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
    with whole_file(path) as file:
        figure.savefig(file, dpi=110)


def _draw_sizes(axes, entries):
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
