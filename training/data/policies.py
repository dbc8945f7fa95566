"""RandAugment and AutoAugment: operations of the TensorFlow model garden, drawn from a seed.

The garden's own classes use stateful random operations, which give other results when a run resumes
from a checkpoint. This module uses the garden's functions on images, lists of operations and
AutoAugment policies, but everything random is a function of the seed.
"""

import functools
import types
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_mlp.typing import Tensor
from training.config import Augment
from training.data.erasing import cut_out

OPERATIONS = (
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "Color", "Contrast"),
    *("Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY", "Cutout"),
    "SolarizeAdd",
)
# The garden's shifts and holes are in pixels of images with this side.
REFERENCE_SIDE = 224
LARGEST_MAGNITUDE = 10.0
GREY = [128] * 3


def check_policy(name: str, channels: int) -> None:
    """Raises ValueError unless this engine has a policy, for this number of channels."""
    if name == "trivialaugment":
        raise ValueError(
            "`augment.policy`='trivialaugment' runs on the engine on JAX: set KERAS_BACKEND=jax, "
            "or use 'randaugment'."
        )
    if channels != 3:
        raise ValueError(f"`augment.policy`={name!r} needs images with 3 channels, got {channels}.")


def apply_policy(image: tf.Tensor, seed: Tensor, augment: Augment) -> tf.Tensor:
    """Applies the policy of a `training.config.Augment` to an image.

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        augment: it uses `policy`, `operations` and the fields that begin with `magnitude`.

    Returns:
        uint8 (H, W, 3).
    """
    if augment.policy == "randaugment":
        return rand_augment(
            image,
            seed,
            augment.operations,
            augment.magnitude,
            augment.magnitude_std,
            uniform=augment.magnitude_uniform,
        )
    assert augment.policy is not None
    return auto_augment(image, seed, augment.policy.removeprefix("autoaugment_"))


def rand_augment(
    image: tf.Tensor,
    seed: Tensor,
    operations: int,
    magnitude: float,
    magnitude_std: float = 0.0,
    uniform: bool = False,
) -> tf.Tensor:
    """RandAugment (Cubuk et al., arXiv:1909.13719).

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        operations: number of operations in sequence; each is one of `OPERATIONS` or the identity,
            all equally likely.
        magnitude: 0 to 20; see `training.config.Augment`.
        magnitude_std: standard deviation of the noise added to the magnitude of each operation.
        uniform: whether to draw each operation's magnitude uniformly from 0 to `magnitude`.

    Returns:
        uint8 (H, W, 3).
    """
    for own in tf.unstack(tf.random.split(seed, operations)):
        seeds = tf.random.split(own, 3)
        level = magnitude
        if uniform:
            level *= tf.random.stateless_uniform((), tf.random.fold_in(seeds[1], 0))
        if magnitude_std:
            level += magnitude_std * tf.random.stateless_normal((), seeds[1])
            level = tf.clip_by_value(level, 0.0, max(LARGEST_MAGNITUDE, magnitude))
        branches = [
            functools.partial(apply_operation, name, image, level, seeds[2], translate=100, hole=40)
            for name in OPERATIONS
        ]
        branches.append(functools.partial(tf.identity, image))
        choice = tf.random.stateless_uniform((), seeds[0], 0, len(branches), tf.int32)
        image = tf.ensure_shape(tf.switch_case(choice, branches), image.shape)
    return image


def auto_augment(image: tf.Tensor, seed: Tensor, name: str) -> tf.Tensor:
    """AutoAugment (Cubuk et al., arXiv:1805.09501).

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        name: the garden's name of the policy: "v0", "reduced_imagenet", "reduced_cifar10", "svhn"
            or "simple".

    Returns:
        uint8 (H, W, 3), after one of the sub-policies, all equally likely.
    """
    policies = _garden().AutoAugment(name).policies
    seeds = tf.random.split(seed, 2)

    def sub_policy(steps: Sequence[tuple[str, float, float]]) -> tf.Tensor:
        changed = image
        for (operation, probability, level), own in zip(
            steps, tf.unstack(tf.random.split(seeds[1], len(steps))), strict=True
        ):
            draws = tf.random.split(own, 2)
            is_done = tf.random.stateless_uniform((), draws[0]) < probability
            changed = tf.cond(
                is_done,
                functools.partial(
                    apply_operation, operation, changed, level, draws[1], translate=250, hole=100
                ),
                functools.partial(tf.identity, changed),
            )
        return changed

    choice = tf.random.stateless_uniform((), seeds[0], 0, len(policies), tf.int32)
    branches = [functools.partial(sub_policy, steps) for steps in policies]
    return tf.ensure_shape(tf.switch_case(choice, branches), image.shape)


def apply_operation(
    name: str, image: tf.Tensor, level: Tensor, seed: Tensor, *, translate: float, hole: float
) -> tf.Tensor:
    """Applies one operation to an image.

    Args:
        name: one of `OPERATIONS`.
        image: uint8 (H, W, 3).
        level: 0 to 20, a number or a scalar tensor.
        seed: a pair of integers, which decides the direction or the place.
        translate: largest shift, in pixels of an image with side `REFERENCE_SIDE`.
        hole: half the side of the largest square to cut out, in the same pixels.

    Returns:
        uint8 (H, W, 3).
    """
    garden, share = _garden(), level / LARGEST_MAGNITUDE
    scale = min(image.shape[0], image.shape[1]) / REFERENCE_SIDE

    def signed(value: Tensor) -> tf.Tensor:
        return tf.where(tf.random.stateless_uniform((), seed) < 0.5, -value, value)

    if name in ("AutoContrast", "Equalize", "Invert"):
        arguments: tuple[Any, ...] = ()
    elif name in ("Color", "Contrast", "Brightness", "Sharpness"):
        arguments = (1.8 * share + 0.1,)
    elif name in ("Posterize", "Solarize"):
        arguments = (_whole((4 if name == "Posterize" else 256) * share, tf.uint8),)
    elif name == "SolarizeAdd":
        arguments = (_whole(110 * share, tf.int64),)
    elif name == "Cutout":
        return cut_out(image, seed, 2 * _whole(hole * scale * share, tf.int32))
    else:
        largest = {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3}.get(name, translate * scale)
        arguments = signed(largest * share), GREY
    # The function compares its arguments with 0; with tensors only a converted function can.
    return tf.autograph.to_graph(garden.NAME_TO_FUNC[name])(image, *arguments)


def _whole(value: Tensor, dtype: tf.DType) -> Tensor:
    """A number truncated to an integer; for a tensor, one of type `dtype`."""
    # Through int32: values too large for a byte wrap around, as in the garden.
    is_tensor = tf.is_tensor(value)
    return tf.cast(tf.cast(value, tf.int32), dtype) if is_tensor else int(value)


@functools.cache
def _garden() -> types.ModuleType:
    """The model garden's module, imported on first use because that takes seconds."""
    from official.vision.ops import augment

    return augment
