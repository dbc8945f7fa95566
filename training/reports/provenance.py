"""Where a figure comes from: versions, hardware, date, commit and command."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from typing import Any

import keras

from training.engine.chosen import engine_module
from training.engine.processor import processor_fact, processor_features

PACKAGES = (
    "tensorflow",
    "jax",
    "keras",
    "tensorflow-datasets",
    "tf-models-official",
    "numpy",
    "scikit-learn",
)

_FEATURES = ("avx", "fma", "amx", "asimd", "sve")  # x86, then Arm


def provenance() -> dict[str, Any]:
    """A dict of where, when and with which versions this process runs."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        # Quoted, so that it can be pasted into a shell.
        "command": shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]]),
        "commit": _commit(),
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "versions": _versions(),
        "hardware": {
            "cpu": processor_fact("model name") or platform.processor(),
            "cpu_features": _cpu_features(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
            ),
            "gpus": engine_module().accelerators(),
        },
    }


def device_name() -> str:
    """What this process computes on: the GPUs or the CPU, in words."""
    gpus = [gpu.get("device_name", "GPU") for gpu in engine_module().accelerators()]
    return ", ".join(gpus) or f"{len(os.sched_getaffinity(0))} CPU cores"


def _versions() -> dict[str, str]:
    """Versions of those packages that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _commit() -> str | None:
    """The checkout's commit, followed by "+" if there are uncommitted changes; None in a wheel."""
    folder = pathlib.Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():  # a wheel, perhaps below somebody else's checkout
        return None

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit, changes = (
            git("rev-parse", "--short=12", "HEAD"),
            git("status", "--porcelain", "-uno"),
        )
    except FileNotFoundError:
        return None
    return f"{commit}+" if commit and changes else commit


def _cpu_features() -> list[str]:
    """Those instruction sets of the processor that decide how fast it multiplies matrices."""
    return [feature for feature in processor_features() if feature.startswith(_FEATURES)]
