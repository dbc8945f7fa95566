"""RandAugment and AutoAugment: operations of the TensorFlow model garden, drawn from a seed.

The garden's own classes use stateful random operations, which give other results when a run resumes
from a checkpoint. This module uses the garden's functions on images, lists of operations and
AutoAugment policies, but everything random is a function of the seed.
"""

import functools
import types
from collections.abc import Callable, Sequence

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

    @functools.partial(tf.function, autograph=False)  # traced once for all operations
    def step(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = tf.random.split(seed, 3)
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
        return tf.ensure_shape(tf.switch_case(choice, branches), image.shape)

    for own in tf.unstack(tf.random.split(seed, operations)):
        image = step(image, own)
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
    sub_policies = _garden().AutoAugment(name).policies
    seeds = tf.random.split(seed, 2)
    choice = tf.random.stateless_uniform((), seeds[0], 0, len(sub_policies), tf.int32)
    steps = list(zip(*sub_policies, strict=True))
    for step, own in zip(steps, tf.unstack(tf.random.split(seeds[1], len(steps))), strict=True):
        names, probabilities, levels = zip(*step, strict=True)
        # In double precision, as in the garden: float32 would truncate some to other integers.
        strengths = [
            float(_strength(name, level, image.shape, translate=250, hole=100))
            for name, level in zip(names, levels, strict=True)
        ]
        operations = sorted(set(names))  # a branch for each; sub-policies share them
        draws = tf.random.split(own, 2)
        is_done = tf.random.stateless_uniform((), draws[0]) < tf.gather(probabilities, choice)
        number = tf.gather([operations.index(name) for name in names], choice)
        strength = tf.gather(strengths, choice)
        branches = [
            functools.partial(_apply, name, image, strength, draws[1]) for name in operations
        ]
        branches.append(functools.partial(tf.identity, image))
        changed = tf.switch_case(tf.where(is_done, number, len(operations)), branches)
        image = tf.ensure_shape(changed, image.shape)
    return image


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
    strength = _strength(name, level, image.shape, translate=translate, hole=hole)
    return _apply(name, image, strength, seed)


def _strength(
    name: str, level: Tensor, shape: Sequence[int], *, translate: float, hole: float
) -> Tensor:
    """What a level means to an operation: its argument, without its sign; 0 if it takes none."""
    share = level / LARGEST_MAGNITUDE
    scale = min(shape[0], shape[1]) / REFERENCE_SIDE
    if name in ("AutoContrast", "Equalize", "Invert"):
        return 0.0
    if name in ("Color", "Contrast", "Brightness", "Sharpness"):
        return 1.8 * share + 0.1
    if name == "Cutout":
        return 2 * _whole(hole * scale * share)
    if name in ("Posterize", "Solarize", "SolarizeAdd"):
        return _whole({"Posterize": 4, "Solarize": 256, "SolarizeAdd": 110}[name] * share)
    return {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3}.get(name, translate * scale) * share


def _apply(name: str, image: tf.Tensor, strength: Tensor, seed: Tensor) -> tf.Tensor:
    """Applies an operation with its strength, in the direction or at the place of the seed."""
    if name in ("AutoContrast", "Equalize", "Invert"):
        return _converted(name)(image)
    if name in ("Color", "Contrast", "Brightness", "Sharpness"):
        return _converted(name)(image, strength)
    if name == "Cutout":
        return cut_out(image, seed, tf.cast(strength, tf.int32))
    if name in ("Posterize", "Solarize", "SolarizeAdd"):
        # Through int32: values too large for a byte wrap around, as in the garden.
        dtype = tf.int64 if name == "SolarizeAdd" else tf.uint8
        return _converted(name)(image, tf.cast(tf.cast(strength, tf.int32), dtype))
    is_negative = tf.random.stateless_uniform((), seed) < 0.5
    return _converted(name)(image, tf.where(is_negative, -strength, strength), GREY)


def _whole(value: Tensor) -> Tensor:
    """A number truncated to an integer; for a tensor, an int32."""
    return tf.cast(value, tf.int32) if tf.is_tensor(value) else int(value)


@functools.cache
def _converted(name: str) -> Callable[..., tf.Tensor]:
    """The garden's function for an operation.

    It compares its arguments with 0; with tensors only a converted function can.
    """
    function: Callable[..., tf.Tensor] = tf.autograph.to_graph(_garden().NAME_TO_FUNC[name])
    return function


@functools.cache
def _garden() -> types.ModuleType:
    """The model garden's module, imported on first use because that takes seconds."""
    from official.vision.ops import augment

    return augment
