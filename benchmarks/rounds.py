"""The measuring method: contenders are sampled in turn and compared round by round."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar


@dataclasses.dataclass(frozen=True)
class Sample:
    """One turn of one contender.

    Attributes:
        milliseconds: median time of a call.
        calls: number of calls.
        cpu_share: CPU time over wall time, per thread. Below 1 if a thread waited: another job used
            its CPU, or there was not enough work for all threads.
        cpu_milliseconds: mean CPU time of a call, over all threads.
    """

    milliseconds: float
    calls: int
    cpu_share: float
    cpu_milliseconds: float = math.nan

    def in_cpu_time(self) -> "Sample":
        """The same turn with CPU time as `milliseconds`, which other jobs change little."""
        return dataclasses.replace(self, milliseconds=self.cpu_milliseconds)


@dataclasses.dataclass(frozen=True)
class Summary:
    """A summary of one contender's samples.

    Attributes:
        median, best: milliseconds per call, over the rounds.
        ratio, lowest, highest: median and range over the rounds of the baseline's time divided by
            this contender's, above 1 if the contender is faster; None without a baseline.
    """

    median: float
    best: float
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None

    def ratios(self) -> tuple[float, float, float]:
        """(`ratio`, `lowest`, `highest`); ValueError without a baseline."""
        if self.ratio is None or self.lowest is None or self.highest is None:
            raise ValueError("There are no ratios without a baseline.")
        return self.ratio, self.lowest, self.highest


_Name = TypeVar("_Name")
_Sample = TypeVar("_Sample")


def time_calls(call: Callable[[], object], seconds: float, threads: int) -> Sample:
    """Takes one sample: one untimed call, then calls until `seconds` have passed.

    Args:
        call: function without arguments that returns when its work is done.
        seconds: minimum total time of the timed calls.
        threads: number of threads that the work may use.

    Returns:
        A `Sample`.
    """
    call()  # wakes threads and refills the caches after the last contender
    times = []
    cpu_start, start = time.process_time(), time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu_start
    share = cpu / (wall * threads)
    return Sample(1000 * statistics.median(times), len(times), share, 1000 * cpu / len(times))


def run_in_turn(
    samplers: Mapping[_Name, Callable[[], _Sample]], rounds: int
) -> dict[_Name, list[_Sample]]:
    """Samples A B C, A B C, ...: a slow minute of the machine hits all contenders alike.

    Args:
        samplers: maps each contender's name to a function that takes a sample.
        rounds: number of turns of each contender.

    Returns:
        A dict from contender name to its list of `rounds` samples.
    """
    samples: dict[_Name, list[_Sample]] = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sample in samplers.items():
            samples[name].append(sample())
    return samples


def summarise(samples: Mapping[str, Sequence[Sample]], baseline: str) -> dict[str, Summary]:
    """Medians, and ratios to the baseline paired by round.

    Args:
        samples: what `run_in_turn` returns.
        baseline: name of a contender; without it there are no ratios.

    Returns:
        A dict from contender name to its `Summary`.
    """
    times = {name: [s.milliseconds for s in turns] for name, turns in samples.items()}
    summaries = {}
    for name, own in times.items():
        ratios = [b / t for b, t in zip(times.get(baseline, ()), own, strict=False)]
        summary = Summary(statistics.median(own), min(own))
        if ratios:
            summary = dataclasses.replace(
                summary, ratio=statistics.median(ratios), lowest=min(ratios), highest=max(ratios)
            )
        summaries[name] = summary
    return summaries
