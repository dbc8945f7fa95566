"""Results and where they were measured, as Markdown."""

import datetime
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable
from typing import Any

from training.engine.processor import processor_fact, processor_features

_CHECKOUT = pathlib.Path(__file__).parents[1]

# An undisturbed pinned thread reads 0.99 to 1.00.
QUIET_CPU_SHARE = 0.9

# Instructions that decide which number formats are fast.
_FEATURES = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
)
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def check_folder_of(name: str, path: str | None) -> None:
    """Raises ValueError if an option names a file, and the folder of that file does not exist."""
    if path and not pathlib.Path(path).absolute().parent.is_dir():
        raise ValueError(f"`{name}` must be in an existing folder, got {path!r}.")


def machine_facts() -> dict[str, Any]:
    """A dict of facts that a reader needs to repeat the measurement."""
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": processor_fact("model name") or platform.machine(),
        "cpu family": f"{processor_fact('cpu family')}, model {processor_fact('model')}",
        "cpus": os.cpu_count(),
        "cpu features": " ".join(cpu_features()) or "unknown",
        "commit": _commit(),
        "python": platform.python_version(),
    }


def cpu_features() -> list[str]:
    """The processor's instructions for small number formats and vectors."""
    found = set(processor_features())
    return [feature for feature in _FEATURES if feature in found]


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 numbers."""
    return bool(_BFLOAT16 & set(cpu_features()))


def markdown(run: dict[str, Any]) -> str:
    """The report of one run.

    Args:
        run: a dict with "facts" (name to value), "baseline" (a contender's name), "contenders"
            (name to a dict with "description", "samples", "summary", "difference"), "missing"
            (name to the missing libraries) and, optionally, "failed" (name to an error)
            and "outputs" (what is compared, logits by default).

    Returns:
        Markdown text.
    """
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines += ["", *_header(run["baseline"], run.get("outputs", "logits"))]
    lines += [_row(name, result) for name, result in run["contenders"].items()]
    for name, libraries in run["missing"].items():
        lines.append(f"| {name} | missing: {', '.join(libraries)} | - | - | - | - | - | - |")
    for name, error in run.get("failed", {}).items():
        lines.append(f"| {name} | failed: {error.replace('|', '/')} | - | - | - | - | - | - |")
    telling = tell_of_other_jobs(run["contenders"], run.get("threads", 1))
    if any(lowest_share(run["contenders"][name]) < QUIET_CPU_SHARE for name in telling):
        lines += [
            "",
            f"Not quotable: a CPU share below {QUIET_CPU_SHARE} (see benchmarks/README.md).",
        ]
    return "\n".join(lines) + "\n"


def _header(baseline: str, outputs: str) -> tuple[str, str]:
    columns = (
        "contender",
        "what",
        "median ms",
        "best ms",
        f"speed over {baseline}",
        "range over rounds",
        "lowest CPU share",
        f"{outputs} differ by",
    )
    return f"| {' | '.join(columns)} |", "|---|---|" + "---:|" * (len(columns) - 2)


def _row(name: str, result: dict[str, Any]) -> str:
    summary = result["summary"]
    ratio, spread = "-", "-"
    if summary.ratio is not None:
        ratio = f"{summary.ratio:.2f}"
        spread = f"{summary.lowest:.2f}-{summary.highest:.2f}"
    return (
        f"| {name} | {result['description']} | {summary.median:.4g} | {summary.best:.4g} "
        f"| {ratio} | {spread} | {lowest_share(result):.2f} | {result['difference']:.0e} |"
    )


def tell_of_other_jobs(contenders: Iterable[str], threads: int) -> list[str]:
    """Those contenders whose CPU share is low only if another job used the CPU.

    With several threads these are PyTorch's, whose threads stay busy while they wait for each
    other. Those of TensorFlow and of most runtimes sleep. Where PyTorch does not run, all of them.
    """
    names = list(contenders)
    return [name for name in names if threads == 1 or name.startswith("timm_")] or names


def lowest_share(result: dict[str, Any]) -> float:
    """The lowest CPU share of a contender's samples."""
    return min(sample.cpu_share for sample in result["samples"])


def _commit() -> str:
    """The commit, and whether the measured code differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "keras_mlp", "benchmarks")
    return f"{commit} with uncommitted changes" if changes else commit


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True)
    return result.stdout.strip()
