"""RandAugment, AutoAugment and TrivialAugment on the device, drawn from a key."""

import collections.abc

import jax
import jax.numpy as jnp

from training.config import Augment
from training.data.on_device.auto_augment_policies import AUTO_AUGMENT
from training.data.on_device.operations import apply_operation

# Shifts and holes are in pixels of images of this side, as in the TensorFlow model garden.
REFERENCE_SIDE = 224
LARGEST_LEVEL = 10.0
RAND_AUGMENT = (
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "Color", "Contrast"),
    *("Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY", "Cutout"),
    *("SolarizeAdd", "Identity"),
)
TRIVIAL_AUGMENT = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)


def apply_policy(image: jax.Array, key: jax.Array, augment: Augment) -> jax.Array:
    """Changes an image by the policy of a `training.config.Augment`.

    Args:
        image: float32 (H, W, 3), whole numbers in [0, 255].
        key: of `jax.random`.
        augment: its `policy`, `operations`, and what begins with `magnitude` count.

    Returns:
        float32 (H, W, 3), whole numbers in [0, 255].
    """
    if augment.policy == "randaugment":
        return rand_augment(image, key, augment)
    if augment.policy == "trivialaugment":
        return trivial_augment(image, key)
    return auto_augment(image, key, str(augment.policy))


def rand_augment(image: jax.Array, key: jax.Array, augment: Augment) -> jax.Array:
    """RandAugment (Cubuk et al., arXiv:1909.13719); see `apply_policy`."""
    for own in jax.random.split(key, augment.operations):
        keys = jax.random.split(own, 4)
        level = jnp.asarray(float(augment.magnitude))
        if augment.magnitude_uniform:
            level *= jax.random.uniform(keys[3])
        if augment.magnitude_std:
            level += augment.magnitude_std * jax.random.normal(keys[1])
            level = jnp.clip(level, 0.0, max(LARGEST_LEVEL, augment.magnitude))
        number = jax.random.randint(keys[0], (), 0, len(RAND_AUGMENT))
        image = at_level(RAND_AUGMENT, number, image, level, keys[2], translate=100, hole=40)
    return image


def auto_augment(image: jax.Array, key: jax.Array, policy: str) -> jax.Array:
    """AutoAugment (Cubuk et al., arXiv:1805.09501); see `apply_policy`.

    Args:
        image, key: as for `apply_policy`.
        policy: a key of `AUTO_AUGMENT`.
    """
    table = AUTO_AUGMENT[policy]
    names = sorted({name for each in table for name, _, _ in each})
    numbers = jnp.array([[names.index(name) for name, _, _ in each] for each in table])
    chances = jnp.array([[chance for _, chance, _ in each] for each in table])
    levels = jnp.array([[float(level) for _, _, level in each] for each in table])
    choice_key, *step_keys = jax.random.split(key, 3)
    choice = jax.random.randint(choice_key, (), 0, len(table))
    for step, own in enumerate(step_keys):
        chance_key, operation_key = jax.random.split(own)
        changed = at_level(
            names,
            numbers[choice, step],
            image,
            levels[choice, step],
            operation_key,
            translate=250,
            hole=100,
        )
        is_done = jax.random.uniform(chance_key) < chances[choice, step]
        image = jnp.where(is_done, changed, image)
    return image


def trivial_augment(image: jax.Array, key: jax.Array) -> jax.Array:
    """TrivialAugment, its wide space (Mueller and Hutter, arXiv:2103.10158); see `apply_policy`."""
    keys = jax.random.split(key, 4)
    number = jax.random.randint(keys[0], (), 0, len(TRIVIAL_AUGMENT))
    strength = jax.random.randint(keys[1], (), 0, 31) / 30
    sign = jnp.where(jax.random.bernoulli(keys[2]), 1.0, -1.0)
    largest = {"Rotate": 135.0, "ShearX": 0.99, "ShearY": 0.99}
    largest |= {"TranslateX": 32.0, "TranslateY": 32.0}
    arguments = []
    for name in TRIVIAL_AUGMENT:
        if name in largest:
            arguments.append(sign * strength * largest[name])
        elif name in ("Color", "Contrast", "Brightness", "Sharpness"):
            arguments.append(1 + sign * strength * 0.99)
        elif name == "Posterize":
            arguments.append(8 - jnp.round(6 * strength))
        else:
            arguments.append(255 * (1 - strength))  # a threshold of Solarize
    argument = jnp.stack(arguments)[number]
    return apply_operation(TRIVIAL_AUGMENT, number, image, argument, keys[3])


def at_level(
    names: collections.abc.Sequence[str],
    number: jax.Array,
    image: jax.Array,
    level: jax.Array,
    key: jax.Array,
    *,
    translate: float,
    hole: float,
) -> jax.Array:
    """One operation at a level of AutoAugment's scale.

    Args:
        names, number, image: as for `apply_operation`.
        level: 0 to 20, a scalar.
        key: of the direction and the place.
        translate: largest shift, in pixels of an image of side `REFERENCE_SIDE`.
        hole: half the side of the largest square that is cut out, in the same pixels.
    """
    sign_key, place_key = jax.random.split(key)
    sign = jnp.where(jax.random.bernoulli(sign_key), 1.0, -1.0)
    share = level / LARGEST_LEVEL
    scale = min(image.shape[:2]) / REFERENCE_SIDE
    largest = {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3}
    largest |= {"TranslateX": translate * scale, "TranslateY": translate * scale}
    factors = {"Posterize": 4, "SolarizeAdd": 110, "Cutout": hole * scale}
    arguments = []
    for name in names:
        if name in largest:
            arguments.append(sign * share * largest[name])
        elif name in factors:
            arguments.append(jnp.floor(share * factors[name]))
        elif name == "Solarize":
            # A threshold beyond 255 begins again at 0, as a byte does.
            arguments.append(jnp.floor(share * 256) % 256)
        else:
            arguments.append(1.8 * share + 0.1)
    argument = jnp.stack(arguments)[number]
    return apply_operation(names, number, image, argument, place_key)
