"""The method: contenders sampled in turn, compared round by round."""

import dataclasses
import math
import statistics
import time


@dataclasses.dataclass(frozen=True)
class Sample:
    """One turn of one contender.

    Attributes:
        milliseconds: median over the calls of the turn.
        calls: how many calls that is.
        cpu_share: CPU time over wall time, per thread. Below 1 where a thread waited: another job
            had its CPU, or its work was not enough for all threads.
        cpu_milliseconds: CPU time of a call, of all threads together; a mean over the calls.
    """

    milliseconds: float
    calls: int
    cpu_share: float
    cpu_milliseconds: float = math.nan

    def in_cpu_time(self):
        """The same turn with CPU time for `milliseconds`, which other work changes little."""
        return dataclasses.replace(self, milliseconds=self.cpu_milliseconds)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the samples of one contender say.

    Attributes:
        median, best: milliseconds per call, over the rounds.
        ratio, lowest, highest: median and range of the rounds' ratios of the baseline's time to
            this contender's, above 1 where the contender is faster; None without a baseline.
    """

    median: float
    best: float
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None


def time_calls(call, seconds, threads):
    """One sample: one untimed call, then calls until `seconds` have passed.

    Args:
        call: function without arguments that returns when its work is done.
        seconds: least total time of the timed calls.
        threads: how many threads the work may use.

    Returns:
        A `Sample`.
    """
    call()  # wakes threads and refills the caches that the last contender used
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


def run_in_turn(samplers, rounds):
    """Samples A B C, A B C, ...: a slow minute of the machine hits all contenders alike.

    Args:
        samplers: dict from contender name to a function that returns a `Sample`.
        rounds: number of turns each contender gets.

    Returns:
        Dict from contender name to its list of `rounds` samples.
    """
    samples = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sample in samplers.items():
            samples[name].append(sample())
    return samples


def summarise(samples, baseline):
    """Medians, and ratios to the baseline paired by round.

    Args:
        samples: what `run_in_turn` returns.
        baseline: name of a contender; if it is not among them no ratios are given.

    Returns:
        Dict from contender name to its `Summary`.
    """
    times = {name: [s.milliseconds for s in turns] for name, turns in samples.items()}
    summaries = {}
    for name, own in times.items():
        ratios = [b / t for b, t in zip(times.get(baseline, ()), own, strict=False)]
        spread = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else ()
        summaries[name] = Summary(statistics.median(own), min(own), *spread)
    return summaries
