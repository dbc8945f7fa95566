"""Trains the page cifar10_300 on one GPU within minutes, and reads the test split once, at the end:

    KERAS_BACKEND=jax python -m benchmarks.cifar10_flagship --data cifar10.npz --output flagship \
        --minutes 5

Writes `result.json` after every tenth of the epochs, and `model.keras`. Where 300 epochs do not
fit, the schedule is that of as many as do. `--compile-only` compiles and times the steps on noise;
with the variable JAX_COMPILATION_CACHE_DIR the run that follows starts at once.
"""

import argparse
import pathlib
import time
import typing

import jax

from benchmarks.paced import PacedRun, random_split
from keras_mlp.json_files import json_text, write_json
from training.config import Config, load_config
from training.data.in_memory import load_arrays
from training.engine.stored_config import as_stored
from training.train import model_image_shape


def run(config: Config, output: pathlib.Path, deadline: float) -> dict[str, typing.Any]:
    """Trains, judges and saves; returns what `result.json` holds.

    Args:
        config: its data is read as the config says.
        output: folder.
        deadline: of `time.monotonic`.
    """
    splits = load_arrays(config.data, model_image_shape(config.model))
    paced = PacedRun(config, [config.runtime.seed], splits.train)
    seconds = paced.seconds_per_epoch()
    spare = 10.0 + 0.05 * (deadline - time.monotonic())  # to judge and to save
    affordable = int((deadline - time.monotonic() - spare) / seconds)
    paced.set_epochs(max(1, min(config.epochs, affordable)))
    result: dict[str, typing.Any] = {"device": str(jax.devices()[0].device_kind)}
    result |= {"config": as_stored(config)}
    result |= {"seconds_per_epoch_at_first": seconds, "finished": False}

    def tell() -> None:
        write_json(output / "result.json", result | paced.facts(), indent=1)

    tell()
    result["finished"] = paced.train(deadline - spare / 2, tell)
    tell()
    (result["test"],) = paced.session.evaluate(splits.test)
    tell()
    paced.save(output / "model.keras")
    return result | paced.facts()


def compile_only(config: Config, count: int) -> dict[str, typing.Any]:
    """Compiles what `run` will run on `count` images, and times it on noise."""
    noise = random_split(model_image_shape(config.model), count, 10)
    paced = PacedRun(config, [config.runtime.seed], noise)
    seconds = paced.seconds_per_epoch()
    paced.session.evaluate(random_split(model_image_shape(config.model), count // 5, 10))
    return {"seconds_per_epoch": seconds, "compile_seconds": paced.session.compile_seconds}


def main(arguments: list[str] | None = None) -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cifar10_flagship",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", default="training/configs/cifar10_300.py")
    parser.add_argument("--data", default="", help="the .npz file; not for --compile-only")
    parser.add_argument("--output", default="flagship", help="folder of the results")
    parser.add_argument("--minutes", type=float, default=5.0, help="the whole program's time")
    parser.add_argument("--compile-only", action="store_true", help="compile, and time on noise")
    parser.add_argument("--images", type=int, default=50_000, help="of --compile-only")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    config: Config = load_config(options.config, options.overrides)
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    if options.compile_only:
        print(json_text(compile_only(config, options.images)), flush=True)
        return
    config.data.data_dir = options.data
    result = run(config, output, began + 60 * options.minutes)
    print(
        json_text({key: value for key, value in result.items() if key not in ("curve", "config")}),
        flush=True,
    )


if __name__ == "__main__":
    main()
