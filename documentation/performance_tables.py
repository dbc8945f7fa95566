"""Stored runs of benchmarks.inference and benchmarks.training_cpu as Markdown."""

import dataclasses
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import inference, training_cpu
from benchmarks.contenders import INFERENCE, TRAINING, Contender
from benchmarks.contest import BASELINE, configuration_name
from benchmarks.report import QUIET_CPU_SHARE
from keras_mlp.json_files import read_json

Run = Mapping[str, Any]
CONTENDERS = {inference.PROGRAM: INFERENCE, training_cpu.PROGRAM: TRAINING}
TITLES = {inference.PROGRAM: "Inference", training_cpu.PROGRAM: "Training"}
TIE = 1.05  # benchmarks/README.md


@dataclasses.dataclass(frozen=True)
class Stored:
    """A file that one of the two benchmarks wrote.

    Attributes:
        name: of the file, without its ending.
        program: that wrote it.
        facts: where it ran, by name.
        runs: one for each configuration.
    """

    name: str
    program: str
    facts: Mapping[str, Any]
    runs: Sequence[Run]

    @property
    def processor(self) -> str:
        """Equal for files whose figures may be compared."""
        facts = self.facts
        return f"{facts['cpu']}, family {facts['cpu family']}"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How many times as fast one contender is as another, paired by round."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


def read_stored(folder: pathlib.Path) -> list[Stored]:
    """The files of a folder that one of the two benchmarks wrote, by name.

    Raises:
        ValueError: a file is damaged.
    """
    found = []
    for file in sorted(folder.glob("*.json")):
        tree = read_json(file, "Restore it, or run its program again.")
        if isinstance(tree, dict) and tree.get("program") in CONTENDERS:
            found.append(Stored(file.stem, tree["program"], tree["facts"], tree["runs"]))
    return found


def processor_sections(stored: Iterable[Stored]) -> str:
    """A section for each processor, with everything that was measured on it."""
    groups: dict[tuple[str, str], list[Stored]] = {}
    for each in stored:
        groups.setdefault((each.processor, each.facts["cpu features"]), []).append(each)
    parts = []
    for (processor, features), files in groups.items():
        parts += [f"## {processor}", f"Instructions: {features}."]
        parts += [_file_section(each) for each in files]
    return "\n\n".join(parts)


def picture_name(stored: Stored) -> str:
    """The name of the picture of a file."""
    return f"performance_{stored.name}.svg"


def has_baseline(stored: Stored) -> bool:
    """Whether the baseline ran in any configuration."""
    return any(BASELINE in run["contenders"] for run in stored.runs)


def ratio(run: Run, contender: str, other: str) -> Ratio:
    """How many times as fast a contender is as another in one configuration."""
    pairs = zip(_times(run, other), _times(run, contender), strict=True)
    ratios = [theirs / own for theirs, own in pairs]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def fastest(run: Run, names: Iterable[str]) -> str | None:
    """Which of some contenders has the lowest median; None if none of them ran."""
    ran = [name for name in names if name in run["contenders"]]
    return min(ran, key=lambda name: _median(run, name), default=None)


def quiet(run: Run) -> bool:
    """Whether no other job took CPU time from any contender."""
    return _lowest_share(run) >= QUIET_CPU_SHARE


def _file_section(stored: Stored) -> str:
    facts = stored.facts
    rounds = min(len(each["samples"]) for run in stored.runs for each in run["contenders"].values())
    share = min(_lowest_share(run) for run in stored.runs)
    about = (
        f"{facts['date']}, {facts['cpus']} virtual CPUs, {rounds} rounds, every CPU share at least "
        f"{share:.2f}. Python {facts['python']}, {facts['versions']}; commit {facts['commit']}. "
        f"Every sample: [{stored.name}.json](results/{stored.name}.json)."
    )
    busy = [configuration_name(run) for run in stored.runs if not quiet(run)]
    warning = [f"**Do not quote**, another job used the CPU: {'; '.join(busy)}."] if busy else []
    title = TITLES[stored.program]
    return "\n\n".join(
        [
            f"### {title}, {facts['date']}",
            about,
            *warning,
            f"```\n{facts['command']}\n```",
            _verdicts(stored),
            *(
                [f"![{title}: speed over {BASELINE}]({picture_name(stored)})"]
                * has_baseline(stored)
            ),
            *_model_tables(stored),
            *_skipped(stored),
        ]
    )


def _verdicts(stored: Stored) -> str:
    """`ours` against the fastest form of timm in each precision, for each configuration."""
    contenders = CONTENDERS[stored.program]
    lines = [
        "| model, batch, threads | precision | fastest of timm | ours over it | |",
        "|---|---|---|---:|---|",
    ]
    counts = dict.fromkeys(("keras_mlp", "a tie", "timm"), 0)
    for run in stored.runs:
        for precision, ours, exact in (("float32", "ours", True), ("bfloat16", "ours_bf16", False)):
            peers = _of_timm(contenders.values(), exact)
            peer = fastest(run, peers)
            if peer is None or ours not in run["contenders"]:
                continue
            found = ratio(run, ours, peer)
            verdict = _verdict(found.median)
            counts[verdict] += 1
            faster = {"keras_mlp": "keras_mlp is faster", "timm": "**timm is faster**"}
            lines.append(
                f"| {configuration_name(run)} | {precision} | `{peer}` | {found} "
                f"| {faster.get(verdict, verdict)} |"
            )
    total = sum(counts.values())
    if not total:
        return "timm was not measured here."
    sentence = (
        "keras_mlp on TensorFlow against the fastest form of timm in the same precision: faster in "
        f"{counts['keras_mlp']} of {total} rows, a tie in {counts['a tie']}, slower in "
        f"{counts['timm']}."
    )
    return "\n".join([sentence, "", *lines])


def _verdict(median: float) -> str:
    if median > TIE:
        return "keras_mlp"
    return "timm" if median < 1 / TIE else "a tie"


def _of_timm(contenders: Iterable[Contender], exact: bool) -> list[str]:
    return [
        contender.name
        for contender in contenders
        if "timm" in contender.libraries and contender.exact == exact
    ]


def _model_tables(stored: Stored) -> list[str]:
    """A table for each model with all contenders; two columns for each configuration."""
    models: dict[str, list[Run]] = {}
    for run in stored.runs:
        models.setdefault(f"{run['architecture']} {run['variant']}", []).append(run)
    return [f"#### {name}\n\n{_model_table(runs, stored.program)}" for name, runs in models.items()]


def _model_table(runs: Sequence[Run], program: str) -> str:
    header = ["contender", "what"]
    for run in runs:
        where = f"batch {run['batch']}" + (f", {run['threads']} threads" * (run["threads"] > 1))
        unit = "images/s" if program == training_cpu.PROGRAM else "ms"
        header += [f"{where}: {unit}", f"over {BASELINE}"]
    lines = [f"| {' | '.join(header)} |", "|---|---|" + "---:|" * (len(header) - 2)]
    for name in dict.fromkeys(name for run in runs for name in run["contenders"]):
        cells: list[str] = []
        what = ""
        for run in runs:
            if name not in run["contenders"]:
                cells += ["", ""]
                continue
            what = run["contenders"][name]["description"]
            median = _median(run, name)
            speed = 1000 * run["batch"] / median if program == training_cpu.PROGRAM else median
            over = str(ratio(run, name, BASELINE)) if BASELINE in run["contenders"] else ""
            best = name == fastest(run, run["contenders"])
            cells += [f"**{speed:.3g}**" if best else f"{speed:.3g}", over]
        lines.append(f"| `{name}` | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _skipped(stored: Stored) -> list[str]:
    """Contenders that did not run, with the reason."""
    reasons: dict[str, list[str]] = {}
    for run in stored.runs:
        each = {name: f"missing {', '.join(lacks)}" for name, lacks in run["missing"].items()}
        each |= {name: f"failed, {error}" for name, error in run.get("failed", {}).items()}
        for name, reason in each.items():
            reasons.setdefault(f"`{name}` ({reason})", []).append(configuration_name(run))
    if not reasons:
        return []
    points = [
        f"- {who}: {'all of them' if len(where) == len(stored.runs) else '; '.join(where)}"
        for who, where in reasons.items()
    ]
    return ["Skipped:\n\n" + "\n".join(points)]


def _times(run: Run, contender: str) -> list[float]:
    return [sample["milliseconds"] for sample in run["contenders"][contender]["samples"]]


def _median(run: Run, contender: str) -> float:
    return statistics.median(_times(run, contender))


def _lowest_share(run: Run) -> float:
    return min(
        sample["cpu_share"] for each in run["contenders"].values() for sample in each["samples"]
    )
