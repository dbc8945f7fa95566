"""What a page may ask that this engine does not do: one clear error before work starts."""

import typing

from training.config import Augment, Data, Runtime

IN_MEMORY = ("digits", "arrays", "pictures", "image_folder")


def check_config(config: typing.Any) -> None:
    """Checks the sections `data` and `runtime` of a config, as below."""
    check_data(config.data)
    check_runtime(config.runtime)


def check_data(data: Data) -> None:
    """Raises ValueError where images cannot be read into memory without TensorFlow."""
    if data.name not in IN_MEMORY:
        way_out = (
            f"On a machine with TensorFlow `python -m training.data.arrays {data.name} --output "
            'FILE.npz` writes a file for `data.name="arrays"`, `data.data_dir="FILE.npz"`.'
        )
        if data.name == "imagenet_tfrecord":
            way_out = "Set KERAS_BACKEND=tensorflow to train on TFRecords."
        raise ValueError(
            f"On JAX `data.name` must be one of {', '.join(IN_MEMORY)}, got {data.name!r}. "
            f"{way_out}"
        )
    _refuse("data.crop", data.crop, 0, "images are used whole")
    _refuse("data.service", data.service, "", "images are in memory")
    _refuse("data.shard", data.shard, "examples", "every device has all images")


def check_augmentation(augment: Augment, channels: int) -> None:
    """Raises ValueError where a change of images is not made for so many channels."""
    if augment.policy is not None and channels != 3:
        raise ValueError(
            f"`augment.policy`={augment.policy!r} is made for images of 3 channels, not of "
            f"{channels}."
        )


def check_runtime(runtime: Runtime) -> None:
    """Raises ValueError where a config names devices or a precision that this engine lacks."""
    if runtime.strategy not in ("one_device", "mirrored"):
        raise ValueError(
            'On JAX `runtime.strategy` must be "one_device" or "mirrored" (every device of this '
            f"machine), got {runtime.strategy!r}."
        )
    _refuse(
        "runtime.virtual_cpus",
        runtime.virtual_cpus,
        0,
        "XLA_FLAGS=--xla_force_host_platform_device_count=2 in the environment cuts the CPU",
    )
    if runtime.dtype == "mixed_float16":
        raise ValueError(
            'On JAX `runtime.dtype` must be "float32" or "mixed_bfloat16", got "mixed_float16".'
        )


def _refuse(key: str, value: object, allowed: object, reason: str) -> None:
    if value != allowed:
        raise ValueError(f"On JAX `{key}` must be {allowed!r}, got {value!r}: {reason}.")
