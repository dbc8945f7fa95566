"""Stored runs of benchmarks.inference and benchmarks.training_cpu as Markdown."""

import collections
import dataclasses
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import inference, training_cpu
from benchmarks.contenders import INFERENCE, TRAINING
from benchmarks.contest import BASELINE, configuration_name
from benchmarks.report import QUIET_CPU_SHARE, tell_of_other_jobs
from keras_mlp.json_files import read_json

Run = Mapping[str, Any]
CONTENDERS = {inference.PROGRAM: INFERENCE, training_cpu.PROGRAM: TRAINING}
TITLES = {inference.PROGRAM: "Inference", training_cpu.PROGRAM: "Training"}
TIE = 1.05  # benchmarks/README.md
# Our contenders on TensorFlow that compete with timm's.
_OURS = {
    "float32": ("ours", "ours_frozen", "ours_gelu"),
    "bfloat16": ("ours_bf16", "ours_frozen_bf16", "ours_gelu_bf16"),
}


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
    """Whether no other job took CPU time from any contender in at least half of the rounds."""
    return 2 * len(_quiet_rounds(run)) >= _round_count(run)


def _file_section(stored: Stored) -> str:
    facts = stored.facts
    rounds = min(_round_count(run) for run in stored.runs)
    about = (
        f"{facts['date']}, {facts['cpus']} virtual CPUs, {rounds} rounds. "
        f"Python {facts['python']}, {facts['versions']}; commit {facts['commit']}. Every sample: "
        f"[{stored.name}.json](results/{stored.name}.json)."
    )
    notes = [_left_out(run) for run in stored.runs if len(_quiet_rounds(run)) < _round_count(run)]
    title = TITLES[stored.program]
    return "\n\n".join(
        [
            f"### {title}, {facts['date']}",
            about,
            *([f"In some rounds another job used the CPU: {'; '.join(notes)}."] if notes else []),
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


def _left_out(run: Run) -> str:
    """What a reader must know of a run in which another job used the CPU."""
    count = _round_count(run)
    busy = count - len(_quiet_rounds(run))
    what = (
        f"{busy} of {count} rounds are left out" if quiet(run) else "**do not quote** its figures"
    )
    return f"{configuration_name(run)}, {what}"


def _verdicts(stored: Stored) -> str:
    """keras_mlp on TensorFlow against its peers of the same precision, for each configuration."""
    contenders = CONTENDERS[stored.program].values()
    lines = [
        "| model, batch, threads | precision | keras_mlp | fastest of timm | keras_mlp over it | "
        "| fastest of all | it over keras_mlp |",
        "|---|---|---|---|---:|---|---|---:|",
    ]
    counts: collections.Counter[str] = collections.Counter()
    for run in stored.runs:
        for precision, forms in _OURS.items():
            ours = fastest(run, forms)
            same = [each for each in contenders if each.precision == precision]
            of_all = fastest(run, (each.name for each in same))
            of_timm = fastest(run, (each.name for each in same if "timm" in each.libraries))
            if ours is None or of_all is None or of_timm is None:
                continue
            found = ratio(run, ours, of_timm)
            verdict = _verdict(found) if quiet(run) else "not quotable"
            counts[verdict] += 1
            faster = "" if of_all == ours else str(ratio(run, of_all, ours))
            lines.append(
                f"| {configuration_name(run)} | {precision} | `{ours}` | `{of_timm}` | {found} "
                f"| {verdict} | `{of_all}` | {faster} |"
            )
    if not counts:
        return "timm was not measured here."
    found_counts = ", ".join(f"{verdict} in {count}" for verdict, count in sorted(counts.items()))
    sentence = (
        "The fastest form of keras_mlp on TensorFlow against the fastest of timm in the same "
        "precision: "
        f"{found_counts}, out of {counts.total()} rows."
    )
    return "\n".join([sentence, "", *lines])


def _verdict(found: Ratio) -> str:
    if found.median > TIE and found.lowest > 1:
        return "keras_mlp is faster"
    if found.median < 1 / TIE and found.highest < 1:
        return "**timm is faster**"
    return "a tie"


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
            figure = f"{speed:.0f}" if speed >= 100 else f"{speed:.3g}"
            cells += [f"**{figure}**" if best else figure, over]
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
    """Milliseconds in the rounds that count: the quiet ones, or all of a run that is not quiet."""
    samples = run["contenders"][contender]["samples"]
    rounds = _quiet_rounds(run) if quiet(run) else range(len(samples))
    return [samples[each]["milliseconds"] for each in rounds]


def _quiet_rounds(run: Run) -> list[int]:
    return [
        each for each in range(_round_count(run)) if _lowest_share(run, each) >= QUIET_CPU_SHARE
    ]


def _round_count(run: Run) -> int:
    return min(len(each["samples"]) for each in run["contenders"].values())


def _median(run: Run, contender: str) -> float:
    return statistics.median(_times(run, contender))


def _lowest_share(run: Run, number: int) -> float:
    """The lowest CPU share in a round of any contender that tells of other jobs."""
    contenders = run["contenders"]
    telling = tell_of_other_jobs(contenders, run["threads"])
    return min(contenders[name]["samples"][number]["cpu_share"] for name in telling)
