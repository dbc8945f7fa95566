"""The results in docs/results, and the sections of docs/tradeoffs.md that show them.

A study has a section as soon as its results are stored there.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import latency, tokens
from benchmarks.stored_run import read_run
from benchmarks.tokens_picture import draw_tokens
from examples import text
from training import compare, fewshot, pareto, permuted, scaling
from training.reports.scaling_picture import draw_scaling
from training.studies.results import read_results, stored_results

DOCS = pathlib.Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"
LATENCY = "latency_fashion_mnist"
TEXT = "text"
TOKENS = "tokens"
TABLES: dict[str, Callable[..., str]] = {
    compare.PROGRAM: compare.comparison_table,
    scaling.PROGRAM: scaling.scaling_tables,
    permuted.PROGRAM: permuted.permuted_table,
    fewshot.PROGRAM: fewshot.fewshot_table,
    text.PROGRAM: text.table,
}
PAGE = "training/configs/tradeoffs_fashion_mnist.py"


@dataclasses.dataclass(frozen=True)
class Study:
    """A study of docs/tradeoffs.md.

    Attributes:
        title: of its section.
        program: that wrote its results.
        about: what was done, with the command.
        is_compared_by_cost: whether Pareto pictures are drawn, with the costs of `LATENCY`.
    """

    title: str
    program: str
    about: str
    is_compared_by_cost: bool = False


def _fashion_mnist(
    program: str, title: str, about: str, options: str = "", page: str = PAGE, **more: Any
) -> Study:
    command = (
        f"python -m {program} --config {page} \\\n    --workdir runs/study --seeds 0 1 2{options}"
    )
    return Study(title, program, f"{about}\n\n```\n{command}\n```", **more)


# After `python -m training.data.arrays fashion_mnist --output fashion_mnist.npz`, with JAX.
ON_JAX = " --set data.name=arrays \\\n    --set data.data_dir=fashion_mnist.npz"


# From the name of the results file to its study. The names are those of sections' markers too.
STUDIES = {
    "compare_fashion_mnist": _fashion_mnist(
        compare.PROGRAM,
        "Fashion-MNIST, equal images",
        "Eight epochs with one recipe; nothing was tuned for any model.",
        is_compared_by_cost=True,
    ),
    "minutes_fashion_mnist": _fashion_mnist(
        compare.PROGRAM,
        "Fashion-MNIST, equal minutes",
        "Three minutes of training steps for each run, on one core, with one recipe. The steps of "
        "a model are timed once; all its seeds have as many.",
        " --minutes 3 --jobs 2",
    ),
    "scaling_fashion_mnist": _fashion_mnist(
        scaling.PROGRAM,
        "Fashion-MNIST, more or fewer images",
        "1,500 steps on nested subsets, balanced over the classes, for five of the models. In "
        "these steps a model sees 96,000 images, less than two epochs of the largest subset. "
        "Longer training would change that accuracy most, and so the fitted laws.",
        " --steps 1500 \\\n    --set \"architectures=('MLPMixer', 'ResMLP', 'ViT', "
        "'examples.comparators:nf_resnet', 'examples.comparators:plain_mlp')\"",
    ),
    "permuted_fashion_mnist": _fashion_mnist(
        permuted.PROGRAM,
        "Fashion-MNIST, permuted",
        "Eight epochs on images as they are, then with their patches of 7 x 7 pixels, then with "
        "all their pixels in one random order, the same for every image. Points lost are paired "
        "by seed; on one GPU, `KERAS_BACKEND=jax`.",
        ON_JAX,
    ),
    "ablations_fashion_mnist": _fashion_mnist(
        compare.PROGRAM,
        "Fashion-MNIST, one change at a time",
        "Single changes to a Mixer and to a ViT; eight epochs on one GPU, `KERAS_BACKEND=jax`. "
        "Several runs shared the card, so the minutes cannot be compared.",
        ON_JAX,
        page="training/configs/ablations_fashion_mnist.py",
    ),
    LATENCY: Study(
        "What one image costs",
        latency.PROGRAM,
        "The models of that page as LiteRT files on one CPU thread, in turn, one image at a time. "
        "Milliseconds are CPU time; RepMLPNet is deployed.",
    ),
    TOKENS: Study(
        "Milliseconds against tokens",
        tokens.PROGRAM,
        "One image through every architecture at one width, with patches of 16 pixels, on one CPU "
        "thread.",
    ),
    "tokens_pair": Study(
        "Mixer against ViT at the paper's sizes",
        tokens.PROGRAM,
        "The Mixer paper compares Mixer-L/16 at 448 pixels, 784 tokens, with ViT-L/16 at 512 "
        "pixels, 1,024 tokens: 105 and 32 images per second and core. Both at 224 pixels and at "
        "their own sizes, one image on one CPU thread:",
    ),
    TEXT: Study(
        "Masked bytes",
        text.PROGRAM,
        "gMLP, Mixer and a transformer of nearly equal size predict hidden bytes of a text, after "
        "the same steps of 32 texts; a perplexity of 1 is perfect.\n\n```\npython -m examples.text "
        "--seeds 0 1 2 --steps 2000 --width 64 --length 64\n```",
    ),
}


def stored(name: str) -> pathlib.Path:
    """The path of a results file, which need not exist."""
    return RESULTS / f"{name}.json"


def results_of(name: str) -> Mapping[str, Any]:
    """What a results file holds."""
    found: Mapping[str, Any] = json.loads(stored(name).read_text(encoding="utf-8"))
    return found


def check_study(name: str, file: str | pathlib.Path) -> None:
    """Raises ValueError unless a file holds the results of a study."""
    if name not in STUDIES:
        raise ValueError(f"{name!r} is not a study; these are: {', '.join(STUDIES)}.")
    _report(STUDIES[name].program, file)


def section(name: str) -> str:
    """The section of a study, "" while it has no results."""
    study, file = STUDIES[name], stored(name)
    if not file.exists():
        return ""
    parts = [f"## {study.title}", study.about, _report(study.program, file).strip()]
    pictures = [f"![{label}]({path.name})" for path, label in _pictures_of(name).items()]
    if study.is_compared_by_cost:
        parts += [pareto.front_table(_points(name))]
    return "\n\n".join([*parts, " ".join(pictures)]).strip()


def report(name: str) -> str:
    """The tables of a results file of `training`, with their origin."""
    program = results_of(name)["program"]
    return stored_results([stored(name)], program, TABLES[program])


def draw_pictures(name: str) -> list[pathlib.Path]:
    """Draws the pictures of a study whose results are stored; returns their paths."""
    study, pictures = STUDIES[name], list(_pictures_of(name))
    runs = results_of(name)
    if study.is_compared_by_cost:
        pareto.draw_all(runs["runs"], _costs(), DOCS, f"pareto_{name}")
    elif study.program == scaling.PROGRAM:
        errors = scaling.errors_of(runs["runs"])
        draw_scaling(pictures[0], errors, scaling.laws_of(errors))
    elif name == TOKENS:
        draw_tokens(pictures[0], runs["results"])
    return pictures


def _pictures_of(name: str) -> dict[pathlib.Path, str]:
    """From the path of each picture of a study to what it shows."""
    study = STUDIES[name]
    if study.is_compared_by_cost:
        return {
            DOCS / f"pareto_{name}_{cost}.svg": f"Test accuracy against {pareto.AXES[cost]}"
            for cost in _points(name)
        }
    if study.program == scaling.PROGRAM:
        return {DOCS / f"{name}.png": "Test error against training images"}
    if name == TOKENS:
        return {DOCS / f"{name}.svg": "Milliseconds against tokens"}
    return {}


def _points(name: str) -> dict[str, Any]:
    known = {cost: pareto.points(results_of(name)["runs"], cost, _costs()) for cost in pareto.AXES}
    return {cost: each for cost, each in known.items() if each}


def _costs() -> pareto.Costs | None:
    return pareto.read_costs(stored(LATENCY)) if stored(LATENCY).exists() else None


def _report(program: str, file: str | pathlib.Path) -> str:
    """Tables and origin of a results file; ValueError if it is of another program."""
    if program in TABLES:
        if read_results(file, program, TABLES[program]) is None:
            raise ValueError(f"{file} is not a results.json of {program}.")
        return stored_results([file], program, TABLES[program])
    markdown = {latency.PROGRAM: latency.markdown, tokens.PROGRAM: tokens.markdown}[program]
    run = read_run(file, program, markdown)
    facts = "; ".join(f"{name}: {value}" for name, value in run["facts"].items())
    table = markdown({**run, "facts": {}}).strip()
    return f"{table}\n\n{facts}."
