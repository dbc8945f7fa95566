"""Trains every architecture of the page compare_cifar10_60 with several seeds at once, in minutes:

    KERAS_BACKEND=jax python -m benchmarks.cifar10_families --data cifar10.npz --output families \
        --minutes 5 --seeds 0 1 2

All programs are compiled first, beside each other; a few steps of each are timed; then every
architecture is trained for the same number of epochs, at most those of the page, that fits into
the time. Writes `result.json` after each of them, and the model of the first seed as `NAME.keras`.
The test split is read once for each, at the end.
`--compile-only` compiles and times the steps on noise.
"""

import argparse
import concurrent.futures
import functools
import pathlib
import time
import traceback
import typing

import jax

import keras_mlp
from benchmarks.paced import PacedRun, random_split
from keras_mlp.json_files import json_text, write_json
from training.compare import single_run
from training.config import Comparison, load_config
from training.data.in_memory import ArraySplit, load_arrays
from training.train import model_image_shape

Results: typing.TypeAlias = dict[str, dict[str, typing.Any]]


class Families:
    """The runs of all architectures, compiled and timed.

    Args:
        comparison: a `training.config.Comparison`.
        seeds: trained at once.
        train: what is trained on.
        output: folder of `result.json` and of the models.
        after: path that is waited for between compiling and timing; None for no wait.

    Attributes:
        runs: from an architecture to its `PacedRun`; those that could not be compiled are missing.
        results: from an architecture to what is known of it, errors too.
    """

    def __init__(
        self,
        comparison: Comparison,
        seeds: list[int],
        train: ArraySplit,
        output: pathlib.Path,
        after: pathlib.Path | None = None,
    ) -> None:
        self.output = output
        self.results: Results = {}
        self.runs: dict[str, PacedRun] = {}
        variant = comparison.model.variant
        for name in comparison.architectures or tuple(keras_mlp.ARCHITECTURES):
            if variant not in keras_mlp.ARCHITECTURES[name].variants:
                continue
            self.runs[name] = PacedRun(single_run(comparison, name, seeds[0]), seeds, train)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            jobs = {name: threads.submit(run.session.compile) for name, run in self.runs.items()}
        for name, job in jobs.items():
            self._keep(name, job.result)
        while after is not None and not after.exists():
            time.sleep(0.5)
        self.seconds: dict[str, float] = {}
        for name, run in list(self.runs.items()):
            self._keep(name, functools.partial(self._time, name, run))
        self.tell()

    def train(self, test: ArraySplit, deadline: float, most: int) -> None:
        """Trains all of them for one number of epochs, and judges each."""
        each = sum(self.seconds.values())
        epochs = max(1, min(most, int((deadline - time.monotonic()) * 0.92 / each)))
        for name in sorted(self.seconds, key=lambda name: self.seconds[name]):
            run = self.runs.pop(name)
            self._keep(name, functools.partial(self._train, name, run, test, deadline, epochs))
            self.tell()

    def tell(self) -> None:
        """Writes what is known."""
        device = str(jax.devices()[0].device_kind)
        found = {"device": device, "architectures": self.results}
        write_json(self.output / "result.json", found, indent=1)

    def _time(self, name: str, run: PacedRun) -> None:
        self.seconds[name] = run.seconds_per_epoch()
        seconds = {"seconds_per_epoch_at_first": self.seconds[name]}
        self.results[name] = seconds | {"compile_seconds": run.session.compile_seconds}

    def _train(
        self, name: str, run: PacedRun, test: ArraySplit, deadline: float, epochs: int
    ) -> None:
        run.set_epochs(epochs)
        finished = run.train(deadline, self.tell)
        self.results[name] |= {**run.facts(), "finished": finished}
        self.results[name]["test"] = run.session.evaluate(test)
        run.save(self.output / f"{name}.keras")

    def _keep(self, name: str, work: typing.Callable[[], typing.Any]) -> None:
        """Does a part of the work; an error is noted, and the others go on."""
        try:
            work()
        except Exception as error:  # whatever a compiler or a driver raises
            traceback.print_exc()
            self.results.setdefault(name, {})["error"] = str(error)[:500]
            self.runs.pop(name, None)


def main(arguments: list[str] | None = None) -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cifar10_families",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", default="training/configs/compare_cifar10_60.py")
    parser.add_argument("--data", default="", help="the .npz file; not for --compile-only")
    parser.add_argument("--output", default="families", help="folder of the results")
    parser.add_argument("--minutes", type=float, default=5.0, help="the whole program's time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--after", type=pathlib.Path, help="a path to wait for, once compiled")
    parser.add_argument("--compile-only", action="store_true", help="compile, and time on noise")
    parser.add_argument("--images", type=int, default=50_000, help="of --compile-only")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    comparison = load_config(options.config, options.overrides, Comparison)
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    name = next(iter(comparison.architectures or keras_mlp.ARCHITECTURES))
    shape = model_image_shape(single_run(comparison, name, 0).model)
    if options.compile_only:
        families = Families(
            comparison, options.seeds, random_split(shape, options.images, 10), output
        )
        for run in families.runs.values():
            run.session.evaluate(random_split(shape, options.images // 5, 10))
        print(json_text(families.results), flush=True)
        return
    comparison.data.data_dir = options.data
    splits = load_arrays(comparison.data, shape)
    families = Families(comparison, options.seeds, splits.train, output, options.after)
    families.train(splits.test, began + 60 * options.minutes, comparison.epochs)
    for name, result in families.results.items():
        accuracy = [each["accuracy"] for each in result.get("test", [])]
        print(name, result.get("epochs"), accuracy, result.get("error", ""), flush=True)


if __name__ == "__main__":
    main()
