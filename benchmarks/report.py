"""What was measured, where and with what: as Markdown, and all samples as JSON."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import subprocess

from keras_mlp.whole_files import write_text

_CHECKOUT = pathlib.Path(__file__).parents[1]

# A quiet pinned thread reads 0.99 to 1.00; several threads wait for each other a little.
_QUIET_CPU_SHARE = 0.9


def machine_facts():
    """Dict of what a reader needs to repeat or doubt the figures."""
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "commit": _commit(),
        "python": platform.python_version(),
    }


def markdown(run):
    """The report of one run.

    Args:
        run: a dict with "facts" (name to value), "baseline" (a contender's name), "contenders"
            (name to a dict with "description", "samples", "summary", "difference") and "missing"
            (name to the libraries that miss).

    Returns:
        Markdown text.
    """
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines += ["", *_header(run["baseline"])]
    lines += [_row(name, result) for name, result in run["contenders"].items()]
    for name, libraries in run["missing"].items():
        lines.append(f"| {name} | missing: {', '.join(libraries)} | - | - | - | - | - | - |")
    if any(_lowest_share(result) < _QUIET_CPU_SHARE for result in run["contenders"].values()):
        lines += [
            "",
            f"Not quotable: a CPU share below {_QUIET_CPU_SHARE} (see benchmarks/README.md).",
        ]
    return "\n".join(lines) + "\n"


def write_json(path, run):
    """Writes a run with all its samples; the file appears whole or not at all."""
    write_text(path, json.dumps(run, indent=1, default=dataclasses.asdict) + "\n")


def _header(baseline):
    columns = (
        "contender",
        "what",
        "median ms",
        "best ms",
        f"speed over {baseline}",
        "range over rounds",
        "lowest CPU share",
        "logits differ by",
    )
    return f"| {' | '.join(columns)} |", "|---|---|" + "---:|" * (len(columns) - 2)


def _row(name, result):
    summary = result["summary"]
    ratio, spread = "-", "-"
    if summary.ratio is not None:
        ratio = f"{summary.ratio:.2f}"
        spread = f"{summary.lowest:.2f}-{summary.highest:.2f}"
    return (
        f"| {name} | {result['description']} | {summary.median:.4g} | {summary.best:.4g} "
        f"| {ratio} | {spread} | {_lowest_share(result):.2f} | {result['difference']:.0e} |"
    )


def _lowest_share(result):
    return min(sample.cpu_share for sample in result["samples"])


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _commit():
    """The commit, and whether what was measured differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "keras_mlp", "benchmarks")
    return f"{commit} with uncommitted changes" if changes else commit


def _git(*arguments):
    result = subprocess.run(["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True)
    return result.stdout.strip()
