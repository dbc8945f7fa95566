"""The answers of docs/choosing.md, each with its figures and a link to the table they come from."""

import re
import statistics
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from documentation.cifar10_table import CIFAR10, accuracies, epochs_told
from documentation.page_tables import page_table
from documentation.stored_studies import LATENCY, TEXT, TOKENS, results_of, stored
from keras_mlp.models import ARCHITECTURES
from keras_mlp.weights import presets
from training import pareto, permuted
from training.reports.pareto_picture import Point, front

FASHION_MNIST = "compare_fashion_mnist"
MINUTES = "minutes_fashion_mnist"
SCALING = "scaling_fashion_mnist"
PERMUTED = "permuted_fashion_mnist"
ABLATIONS = "ablations_fashion_mnist"
_UNFINISHED = "The study is not finished. [How to run it](tradeoffs.md)"
_WIDTH = 118  # of a line in docs/


def cifar10_points() -> list[Point]:
    """Accuracy on CIFAR-10 against the seconds of training, on one GPU."""
    return [
        _point(name, each["train_seconds"], accuracies(each))
        for name, each in results_of(CIFAR10)["architectures"].items()
    ]


def _point(name: str, cost: float, accuracy: Sequence[float]) -> Point:
    figures = statistics.mean(accuracy), min(accuracy), max(accuracy)
    return Point(name, cost, *figures, is_family=name not in pareto.NOT_MLPS)


def _from_scratch() -> str:
    points = cifar10_points()
    mlps = leaders([point for point in points if point.label not in pareto.NOT_MLPS])
    last = min(points, key=lambda point: point.accuracy)
    return (
        f"On CIFAR-10, after {epochs_told()} at about 1.1 M parameters: {_named(leaders(points))}. "
        f"Of the MLPs, {_named(mlps)}. `{last.label}` is last with {last.accuracy:.2%}. "
        "[Table](accelerators.md#cifar-10-every-architecture)"
    )


def _short_training() -> str:
    best = front(cifar10_points())
    shown = _listed([f"`{p.label}` with {p.accuracy:.2%} in {p.cost:.1f} s" for p in best])
    return (
        f"In the same runs, on one GPU and for three seeds at once, no other model is both faster "
        f"and more accurate than {shown}. [Table](accelerators.md#cifar-10-every-architecture)\n\n"
        f"![Accuracy on CIFAR-10 against seconds of training](pareto_{CIFAR10}.svg)"
    )


def _published() -> str:
    best = {}
    for name in ARCHITECTURES:
        rows = [row for row in presets(name) if row.top1 is not None]
        best[name] = max(rows, key=lambda row: row.top1 or 0)
    ranked = sorted(best, key=lambda name: -(best[name].top1 or 0))
    shown = [f"`{name}` {best[name].top1:.1f}% ({best[name].variant})" for name in ranked]
    return (
        f"Best published accuracy on ImageNet-1k of each family: {_listed(shown)}. The files "
        "differ in size, image size and pretraining, so this ranks files to start from, not "
        "architectures. [Catalogue](catalogue.md)"
    )


def _cpu() -> str:
    rows = _formats()
    best = front(
        [_point(row["model"], float(row["median ms"]), [_percent(row["accuracy"])]) for row in rows]
    )
    shown = _listed([f"`{p.label}` ({p.cost:.3f} ms, {p.accuracy:.2%})" for p in best])
    slowest = max(rows, key=lambda row: float(row["median ms"]))
    return (
        f"As LiteRT int8 files on one CPU thread, no other model of Fashion-MNIST is both faster "
        f"and more accurate than {shown}; the slowest is `{slowest['model']}` with "
        f"{float(slowest['median ms']):.3f} ms. One seed each: less than half a point is no "
        "difference. [Table](formats.md#the-artefacts)"
    )


def _export() -> str:
    rows = _formats()
    lost = max(abs(float(row["points over Keras"])) for row in rows)
    sizes = [float(row["MB"]) for row in rows]
    return (
        "Any of them. Every architecture converts to LiteRT, ONNX, OpenVINO and TensorFlow.js. "
        f"LiteRT's int8 changed the accuracy of {len(rows)} small models by at most {lost:.2f} "
        f"points, in files of {min(sizes)} to {max(sizes)} MB. [Table](formats.md#the-artefacts)"
    )


def _formats() -> list[dict[str, str]]:
    rows = page_table("formats.md", after="### The artefacts")
    return [row for row in rows if row["form"] == "LiteRT int8"]


def _throughput() -> str:
    rows = page_table("accelerators.md", after="## Speed against timm")
    speed = {
        row["model"]: int(row["ours, images/s"].replace(",", ""))
        for row in rows
        if row["1"] == "training" and row["batch"] == "256" and not row["model"].endswith("B/16")
    }
    ranked = sorted(speed, key=lambda name: -speed[name])
    shown = _listed([f"{name} {speed[name]:,}" for name in ranked])
    return (
        f"Images per second in training, bfloat16, batches of 256 at 224 pixels, on one H200: "
        f"{shown}. [Table](accelerators.md#speed-against-timm)"
    )


def _large_images() -> str:
    growth = page_table("families.md", after="<!-- made: growth -->")
    linear = [row["model"] for row in growth if row["MACs of token mixing"] == "tokens^1.00"]
    others = [row["model"] for row in growth if row["model"] not in linear]
    mixer, gmlp = (
        page_table("analysis.md", after=f"**{name} S/16**")[-1] for name in ("MLPMixer", "GMLP")
    )
    cost = "token mixing GMACs"
    measured = f" {_measured_tokens()}" if stored(TOKENS).exists() else ""
    return (
        f"{_listed(linear)}: their token mixing is linear in the number of tokens. It is "
        f"quadratic in {_listed(others)}. With {mixer['tokens']} tokens, token mixing takes "
        f"{float(mixer[cost]):.1f} GMACs in MLPMixer S/16 and {float(gmlp[cost]):.0f} in GMLP "
        f"S/16. [Table](families.md#how-the-cost-grows-with-the-image){measured}"
    )


def _measured_tokens() -> str:
    results = results_of(TOKENS)["results"]
    most = max(result["tokens"] for result in results)
    largest = {
        result["model"]: result["milliseconds"] for result in results if result["tokens"] == most
    }
    shown = [f"{name} {largest[name]:,.0f}" for name in sorted(largest, key=largest.__getitem__)]
    return (
        f"Measured at one width, on one CPU thread, an image of {most:,} tokens takes, in "
        f"milliseconds: {_listed(shown)}. [Table](tradeoffs.md#milliseconds-against-tokens)"
    )


def _memory() -> str:
    rows = page_table("families.md", after="<!-- made: reuse -->")
    by_reuse = sorted(rows, key=lambda row: float(row["all"]))
    least, *others = by_reuse
    smallest = min(rows, key=lambda row: float(row["GMACs"]))
    return (
        f"Where memory is cheap and computing is not, {least['model']}: {least['parameters M']} M "
        f"parameters and {least['GMACs']} GMACs, {least['all']} multiply-accumulates for each "
        f"parameter. The others have {others[0]['all']} to {others[-1]['all']}. "
        f"{smallest['model']} needs the least of both: {smallest['parameters M']} M and "
        f"{smallest['GMACs']} GMACs. "
        "[Table](families.md#how-often-a-parameter-is-used)"
    )


def _other_sizes() -> str:
    (own,) = page_table("image_sizes.md", after="Accuracy at 28 x 28:")
    rows = page_table("image_sizes.md", after="as it is → fine-tuned:")
    tuned = {
        row["0"]: [_percent(row[size]) for size in row if size not in ("0", "1")]
        for row in rows
        if row["1"] == "interpolate"
    }
    ranked = sorted(tuned, key=lambda name: -statistics.mean(tuned[name]))
    best = ranked[0]
    everywhere = all(
        tuned[best][size] == max(each[size] for each in tuned.values())
        for size in range(len(tuned[best]))
    )
    return (
        f"Of {_listed([f'`{name}`' for name in tuned])}, `{best}` is most accurate"
        f"{' at every size' if everywhere else ' on average'}: {min(tuned[best]):.1%} to "
        f"{max(tuned[best]):.1%} after two epochs of fine-tuning with interpolated weights, from "
        f"{own[best]} at its own size. One seed. Without fine-tuning, resize the images "
        "instead. [Table](image_sizes.md#measured)"
    )


def _few_labels() -> str:
    runs = [run for run in results_of("fewshot_digits")["runs"] if run["shots"] == 10]
    accuracy = {run["source"]: run["test"] for run in runs}
    pixels = next(source for source in accuracy if source.startswith("pixels"))
    ranked = sorted(accuracy.keys() - {pixels}, key=lambda name: -statistics.mean(accuracy[name]))
    best, raw = (_with_range(accuracy[name]) for name in (ranked[0], pixels))
    return (
        "None of the small artefacts, if your images are unlike theirs. With ten images per class, "
        f"ridge regression on the best features of clothes, of `{ranked[0].rpartition('/')[2]}`, "
        f"recognises {best} of handwritten digits; on raw pixels, {raw}. Start from weights of "
        "similar images. [Table](tradeoffs.md#a-few-images-per-class)"
    )


def _few_images() -> str:
    if not stored(SCALING).exists():
        return _UNFINISHED
    study = results_of(SCALING)
    accuracy: dict[int, dict[str, list[float]]] = {}
    for run in study["runs"]:
        of_size = accuracy.setdefault(run["train_examples"], {})
        of_size.setdefault(_short(run["architecture"]), []).append(run["test"]["accuracy"])
    few, many = min(accuracy), max(accuracy)
    ranked = sorted(accuracy[few], key=lambda name: -statistics.mean(accuracy[few][name]))
    named = [f"`{name}` {_with_range(accuracy[few][name])}" for name in ranked]
    gain = {
        name: statistics.mean(accuracy[many][name]) - statistics.mean(accuracy[few][name])
        for name in ranked
    }
    most, least = max(gain, key=lambda name: gain[name]), min(gain, key=lambda name: gain[name])
    return (
        f"After {study['steps']:,} steps on {few:,} images of Fashion-MNIST: {_listed(named)}. "
        f"With {many:,} images `{most}` gains most, {100 * gain[most]:.1f} points, and `{least}` "
        f"least, {100 * gain[least]:.1f}. [Table](tradeoffs.md#fashion-mnist-more-or-fewer-images)"
    )


def _unordered() -> str:
    if not stored(PERMUTED).exists():
        return _UNFINISHED
    accuracy: dict[str, dict[str, list[float]]] = {order: {} for order in permuted.ORDERS}
    for run in results_of(PERMUTED)["runs"]:
        of_order = accuracy[run["order"]]
        of_order.setdefault(run["architecture"], []).append(run["test"]["accuracy"])
    ordered, _, shuffled = accuracy.values()
    points = [_point(_short(name), 0, figures) for name, figures in shuffled.items()]
    lost = {
        name: 100 * (statistics.mean(ordered[name]) - statistics.mean(figures))
        for name, figures in shuffled.items()
    }
    mixers = [points for name, points in lost.items() if name in ARCHITECTURES]
    most = max(lost, key=lambda name: lost[name])
    return (
        f"With the pixels of Fashion-MNIST in one random order: {_named(leaders(points))}. "
        f"Against images as they are, `{_short(most)}` loses most, {lost[most]:.1f} points, and "
        f"models that mix tokens lose {min(mixers):.1f} to {max(mixers):.1f}. "
        "[Table](tradeoffs.md#fashion-mnist-permuted)"
    )


def _single_changes() -> str:
    if not stored(ABLATIONS).exists():
        return _UNFINISHED
    accuracy: dict[str, list[float]] = {}
    for run in results_of(ABLATIONS)["runs"]:
        name = _short(run["architecture"])
        accuracy.setdefault(name, []).append(run["test"]["accuracy"])
    told = {name: _told(_point(name, 0, figures)) for name, figures in accuracy.items()}

    return (
        f"In a small Mixer on Fashion-MNIST, `Affine` {told['mixer_affine']}, BatchNorm "
        f"{told['mixer_batch_norm']} and LayerNorm {told['mixer_layer_norm']}; with LayerNorm and "
        f"one linear layer over tokens in place of the token MLP, {told['mixer_linear_tokens']}. "
        f"In a ViT, the class token {told['vit_class_token']} and the mean over tokens "
        f"{told['vit_mean']}. [Table](tradeoffs.md#fashion-mnist-one-change-at-a-time)"
    )


def _text() -> str:
    if not stored(TEXT).exists():
        return _UNFINISHED
    study = results_of(TEXT)
    runs, steps = study["runs"], study["config"]["steps"]
    told, best = [], {}
    for kind in dict.fromkeys(run["model"] for run in runs):
        found = [run["perplexity"] for run in runs if run["model"] == kind]
        best[kind] = statistics.mean(found)
        told.append(f"{kind} {best[kind]:.2f} ({min(found):.2f} to {max(found):.2f})")
    longer = [run for run in runs if run["perplexity_at_twice_the_length"] is not None]
    twice = statistics.mean(run["perplexity_at_twice_the_length"] for run in longer)
    return (
        f"{min(best, key=lambda kind: best[kind])} has the lowest perplexity of hidden bytes after "
        f"{steps:,} steps with {runs[0]['parameters'] / 1e6:.2f} M parameters: "
        f"{_listed(told)}. Only the {longer[0]['model']} takes a text of twice the "
        f"length, with a perplexity of {twice:.2f}. "
        "[Table](tradeoffs.md#masked-bytes)"
    )


def _short(architecture: str) -> str:
    """A function by its name, without its module."""
    return architecture.rpartition(":")[2]


def _fashion_mnist() -> str:
    """Sentences on the study, once it is stored; the first waits for nothing else."""
    if not stored(FASHION_MNIST).exists():
        return (
            "The study on Fashion-MNIST, with two ResNets and a plain MLP, is not finished. "
            "[How to run it](tradeoffs.md)"
        )
    runs = results_of(FASHION_MNIST)["runs"]
    parts = [f"On Fashion-MNIST, for equal images: {_best_of_each_kind(runs)}"]
    costs = pareto.read_costs(stored(LATENCY)) if stored(LATENCY).exists() else None
    fronts: dict[str, list[str]] = {}  # from the names of models to the costs of their front
    for cost, label in pareto.AXES.items():
        if cost != "minutes" and (known := pareto.points(runs, cost, costs)):
            names = _listed([f"`{point.label}`" for point in front(known)])
            fronts.setdefault(names, []).append(label)
    each = [f"against {' and '.join(labels)}: {names}" for names, labels in fronts.items()]
    parts.append(f"On the front of accuracy {'; '.join(each)}.")
    parts.append("[Table](tradeoffs.md#fashion-mnist-equal-images)")
    return " ".join(parts)


def _equal_minutes() -> str:
    if not stored(MINUTES).exists():
        return _UNFINISHED
    study = results_of(MINUTES)
    return (
        f"On Fashion-MNIST, after {study['config']['minutes']:g} minutes of training on one CPU "
        f"core: {_best_of_each_kind(study['runs'])} "
        "[Table](tradeoffs.md#fashion-mnist-equal-minutes)"
    )


def _best_of_each_kind(runs: Sequence[Mapping[str, Any]]) -> str:
    """The leaders of the architectures, then those of the models to compare with."""
    points = pareto.points(runs, "parameters")
    families, others = (
        leaders([point for point in points if (point.label in ARCHITECTURES) == ours])
        for ours in (True, False)
    )
    compared = f" Of the models to compare with, {_named(others)}." if others else ""
    return f"{_named(families)}.{compared}"


def answer(name: str) -> str:
    """The paragraphs of an answer.

    Args:
        name: a key of `ANSWERS`.
    """
    paragraphs = ANSWERS[name]().split("\n\n")
    return "\n\n".join(
        each
        if each.startswith("!")
        else textwrap.fill(each, _WIDTH, break_long_words=False, break_on_hyphens=False)
        for each in paragraphs
    )


ANSWERS: Mapping[str, Callable[[], str]] = {
    "published": _published,
    "from_scratch": _from_scratch,
    "fashion_mnist": _fashion_mnist,
    "short_training": _short_training,
    "equal_minutes": _equal_minutes,
    "throughput": _throughput,
    "cpu": _cpu,
    "memory": _memory,
    "large_images": _large_images,
    "other_sizes": _other_sizes,
    "few_labels": _few_labels,
    "few_images": _few_images,
    "unordered": _unordered,
    "single_changes": _single_changes,
    "text": _text,
    "export": _export,
}


def leaders(points: Sequence[Point]) -> list[Point]:
    """The points whose range over seeds reaches that of the best, the best first."""
    ranked = sorted(points, key=lambda point: -point.accuracy)
    return [point for point in ranked if point.highest >= ranked[0].lowest]


def _named(points: Sequence[Point]) -> str:
    named = [f"`{point.label}` {_told(point)}" for point in points]
    overlap = ", whose ranges overlap" if len(points) > 1 else ""
    return _listed(named) + overlap


def _told(point: Point) -> str:
    return f"{point.accuracy:.2%} ({point.lowest:.2%} to {point.highest:.2%})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _with_range(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def _percent(text: str) -> float:
    found = re.findall(r"([\d.]+)%", text)
    return float(found[-1]) / 100
