"""timm's half of `benchmarks.training_gpu`, in an interpreter with PyTorch and without Keras."""

import json
import sys
import time
import typing

import torch

from benchmarks.contenders.timm_mixer import declare_detection_ops

CHUNK = 10  # steps between two waits
LONG_ENOUGH = 0.5  # seconds
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    order = json.loads(sys.argv[1])
    declare_detection_ops()
    torch.set_float32_matmul_precision("high")
    began = time.perf_counter()
    works = {}
    for batch in order["batches"]:
        torch._dynamo.reset()  # one shape a program: none is made again for any shape
        works["train", batch] = _training(order, batch)
        works["infer", batch] = _inference(order, batch)
    import timm

    print(
        json.dumps(
            {
                "compile_seconds": time.perf_counter() - began,
                "torch": torch.__version__,
                "timm": timm.__version__,
            }
        ),
        flush=True,
    )
    for line in sys.stdin:
        mode, batch = line.split()
        print(json.dumps({"seconds": measure(works[mode, int(batch)])}), flush=True)


def measure(step: typing.Callable[[], object]) -> float:
    """Seconds of a step."""
    _some(step)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < LONG_ENOUGH:
        _some(step)
        steps += CHUNK
    return (time.perf_counter() - began) / steps


def _some(step: typing.Callable[[], object]) -> None:
    for _ in range(CHUNK):
        step()
    _wait()


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _model(order: dict[str, typing.Any]) -> torch.nn.Module:
    import timm

    return timm.create_model(order["name"], **order["arguments"]).to(DEVICE)


def _images(order: dict[str, typing.Any], batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    side = order["arguments"].get("img_size", 224)
    images = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8, device=DEVICE)
    return images, torch.randint(0, 1000, (batch,), device=DEVICE)


def _training(order: dict[str, typing.Any], batch: int) -> typing.Callable[[], object]:
    model = _model(order).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, weight_decay=0.05, fused=DEVICE == "cuda"
    )
    images, labels = _images(order, batch)

    @torch.compile(dynamic=False)
    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            logits = model(images.to(torch.bfloat16) / 127.5 - 1)
        return torch.nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)

    def step() -> object:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(images, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return _warmed(step)


def _inference(order: dict[str, typing.Any], batch: int) -> typing.Callable[[], object]:
    model = _model(order).eval().to(torch.bfloat16)
    images, _ = _images(order, batch)

    @torch.compile(dynamic=False)
    def logits_of(images: torch.Tensor) -> torch.Tensor:
        return model(images.to(torch.bfloat16) / 127.5 - 1)

    @torch.inference_mode()
    def step() -> object:
        return logits_of(images)

    return _warmed(step)


def _warmed(step: typing.Callable[[], object]) -> typing.Callable[[], object]:
    for _ in range(3):
        step()
    _wait()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    return step


if __name__ == "__main__":
    main()
