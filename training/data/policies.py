"""RandAugment and AutoAugment: operations of the TensorFlow model garden, drawn from a seed.

The garden's own classes draw with stateful random operations, which give another result when a run
goes on from a checkpoint. Here its functions on images are called, its lists of operations and its
AutoAugment policies are used, and everything random is a function of the seed.
"""

import functools

import tensorflow as tf

from training.data.erasing import cut_out

OPERATIONS = (
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "Color", "Contrast"),
    *("Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY", "Cutout"),
    "SolarizeAdd",
)
# Shifts and holes of the garden are in pixels of images of this side.
REFERENCE_SIDE = 224
LARGEST_MAGNITUDE = 10.0
GREY = [128] * 3


def check_policy(name, channels):
    """Raises ValueError unless a policy works on images of so many channels."""
    if channels != 3:
        raise ValueError(
            f"`augment.policy`={name!r} is made for images of 3 channels, not of {channels}."
        )


def apply_policy(image, seed, augment):
    """Changes an image by the policy of a `training.config.Augment`.

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        augment: its `policy`, `operations`, and what begins with `magnitude` count.

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
    return auto_augment(image, seed, augment.policy.removeprefix("autoaugment_"))


def rand_augment(image, seed, operations, magnitude, magnitude_std=0.0, uniform=False):
    """RandAugment (Cubuk et al., arXiv:1909.13719).

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        operations: how many, one after the other; each is one of `OPERATIONS` or none at all, all
            equally likely.
        magnitude: 0 to 20; see `training.config.Augment`.
        magnitude_std: standard deviation of what is added to it, every time.
        uniform: whether it is drawn every time, uniformly from 0 to `magnitude`.

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


def auto_augment(image, seed, name):
    """AutoAugment (Cubuk et al., arXiv:1805.09501).

    Args:
        image: uint8 (H, W, 3).
        seed: pair of integers.
        name: of the policy, in the garden's words: "v0", "reduced_imagenet", "reduced_cifar10",
            "svhn" or "simple".

    Returns:
        uint8 (H, W, 3): changed by one of the sub-policies, all equally likely.
    """
    policies = _garden().AutoAugment(name).policies
    seeds = tf.random.split(seed, 2)

    def sub_policy(steps):
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


def apply_operation(name, image, level, seed, *, translate, hole):
    """One operation on an image.

    Args:
        name: one of `OPERATIONS`.
        image: uint8 (H, W, 3).
        level: 0 to 20, a number or a scalar tensor.
        seed: pair of integers, of the direction or the place.
        translate: largest shift, in pixels of an image of side `REFERENCE_SIDE`.
        hole: half the side of the largest square that is cut out, in the same pixels.

    Returns:
        uint8 (H, W, 3).
    """
    garden, share = _garden(), level / LARGEST_MAGNITUDE
    scale = min(image.shape[0], image.shape[1]) / REFERENCE_SIDE

    def signed(value):
        return tf.where(tf.random.stateless_uniform((), seed) < 0.5, -value, value)

    if name in ("AutoContrast", "Equalize", "Invert"):
        arguments = ()
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
    # It asks whether its arguments are 0, which of tensors only a converted function can.
    return tf.autograph.to_graph(garden.NAME_TO_FUNC[name])(image, *arguments)


def _whole(value, dtype):
    """A number cut down to a whole one; of a tensor, in the type that it meets."""
    # Through int32: what is too large for a byte begins again at 0, as the garden's numbers do.
    is_tensor = tf.is_tensor(value)
    return tf.cast(tf.cast(value, tf.int32), dtype) if is_tensor else int(value)


@functools.cache
def _garden():
    """The model garden's module; imported when it is needed, as it takes seconds."""
    from official.vision.ops import augment

    return augment
