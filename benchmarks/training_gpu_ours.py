"""Our half of `benchmarks.training_gpu`: compiles one model, then measures as it is told."""

import concurrent.futures
import json
import sys
import time
import typing

import jax
import keras
import numpy as np

import keras_mlp
from keras_mlp.analysis import cost
from training.config import Config, Data, Optimizer
from training.data.in_memory import ArraySplit
from training.engine.jax.session import Session
from training.engine.optimizers import build_optimizer

CHUNK = 10  # steps of one program
LONG_ENOUGH = 0.5  # seconds


def main() -> None:
    order = json.loads(sys.argv[1])
    began = time.perf_counter()
    works: dict[tuple[str, int], typing.Callable[[], int]] = {}
    with concurrent.futures.ThreadPoolExecutor() as threads:
        jobs = {}
        for batch in order["batches"]:
            for mode, prepare in (("train", _training), ("infer", _inference)):
                jobs[mode, batch] = threads.submit(prepare, order, batch)
        for key, job in jobs.items():
            works[key] = job.result()
    model = _model(order, "float32")
    print(
        json.dumps(
            {
                "macs": cost(model).macs,
                "parameters": model.count_params(),
                "compile_seconds": time.perf_counter() - began,
                "device": jax.devices()[0].device_kind,
                "jax": jax.__version__,
                "keras": keras.__version__,
            }
        ),
        flush=True,
    )
    for line in sys.stdin:
        mode, batch = line.split()
        print(json.dumps({"seconds": measure(works[mode, int(batch)])}), flush=True)


def measure(work: typing.Callable[[], int]) -> float:
    """Seconds of a step.

    Args:
        work: makes some steps, waits for them, and returns how many.
    """
    work()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < LONG_ENOUGH:
        steps += work()
    return (time.perf_counter() - began) / steps


def _model(order: dict[str, typing.Any], dtype: str) -> keras.Model:
    architecture = keras_mlp.ARCHITECTURES[order["architecture"]]
    return architecture.from_variant(order["variant"], **order["arguments"], dtype=dtype)


def _images(model: keras.Model, count: int) -> ArraySplit:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *model.image_shape), np.uint8)
    return ArraySplit(images, rng.integers(0, 1000, count).astype(np.int32), 1000)


def _training(order: dict[str, typing.Any], batch: int) -> typing.Callable[[], int]:
    model = _model(order, "mixed_bfloat16")
    config = Config(
        data=Data(batch_size=batch),
        optimizer=Optimizer(label_smoothing=0.1, warmup_epochs=0.0),
    )
    optimizer = build_optimizer(config.optimizer, model, total_steps=10**6, steps_per_epoch=1)
    session = Session([model], [optimizer], config, [0], _images(model, 2 * batch), longest=CHUNK)
    session.compile()

    def work() -> int:
        session.run(CHUNK)  # reads whether the loss is finite, and so waits
        return CHUNK

    return work


def _inference(order: dict[str, typing.Any], batch: int) -> typing.Callable[[], int]:
    model = _model(order, "bfloat16")
    weights = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    images = jax.device_put(_images(model, batch).images)

    def call(weights: typing.Any, images: jax.Array) -> jax.Array:
        return model.stateless_call(*weights, images, training=False)[0]

    compiled = jax.jit(call).lower(weights, images).compile()

    def work() -> int:
        for _ in range(CHUNK):
            logits = compiled(weights, images)
        logits.block_until_ready()
        return CHUNK

    return work


if __name__ == "__main__":
    main()
