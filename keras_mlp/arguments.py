"""Checks of arguments: each error names the argument, its value and what is allowed."""

import difflib
import math

import keras
import numpy as np

_LARGEST_COUNT = 2**31 - 1  # kernels index with 32 bits
_NUMBERS = (int, float, np.integer, np.floating)
_SMALLEST, _LARGEST = float(np.finfo("float32").tiny), float(np.finfo("float32").max)


def check_positive_int(name, value):
    """Returns `value` as an int, or raises ValueError unless it is a whole number of at least 1."""
    if not _is_number(value, int, np.integer) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1, got {_shown(value)}.")
    if value > _LARGEST_COUNT:
        raise ValueError(f"`{name}` must be at most {_LARGEST_COUNT}, got {_shown(value)}.")
    return int(value)


def check_bool(name, value):
    """Returns `value` as a bool, or raises ValueError unless it is one: "no" would count as yes."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False, got {_shown(value)}.")
    return bool(value)


def check_optional(name, value, check):
    """Returns None, or what `check` makes of any other value."""
    return None if value is None else check(name, value)


def check_rate(name, value):
    """Returns `value` as a float, or raises ValueError unless it lies in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1), got {_shown(value)}.")
    return float(value)


def check_positive(name, value):
    """Returns `value` as a float, or raises ValueError unless float32 has it: above 0, finite."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a finite number above 0, got {_shown(value)}.")
    if not _SMALLEST <= value <= _LARGEST:
        raise ValueError(f"`{name}` must be a number that float32 holds, got {_shown(value)}.")
    return float(value)


def check_choice(name, value, choices):
    """Returns `value`, or raises ValueError that lists `choices` and names the nearest one."""
    # Not `in`: `value` may have no hash, or be an array, which is equal piece by piece.
    if not any(isinstance(value, type(each)) and value == each for each in choices):
        raise ValueError(f"`{name}` is {_shown(value)}. {describe_choices(value, choices)}")
    return value


def check_name(value):
    """Returns the `name` of a model, or raises ValueError."""
    if value is not None and (not isinstance(value, str) or not value or "/" in value):
        raise ValueError(f"`name` must be a string without '/', or None, got {_shown(value)}.")
    return value


def check_dtype(value):
    """Returns the Keras dtype policy that `dtype` stands for, or raises ValueError."""
    try:
        policy = keras.dtype_policies.get(value)
        dtypes = (policy.compute_dtype, policy.variable_dtype)
        is_float = all(keras.backend.is_float_dtype(each) for each in dtypes)
        is_allowed = is_float and policy.quantization_mode is None
    except Exception:  # Keras raises many kinds
        is_allowed = False
    if not is_allowed:
        raise ValueError(
            "`dtype` must be a floating-point policy such as 'float32' or 'mixed_bfloat16', or "
            f"None, got {_shown(value)}."
        )
    return policy


def check_channel_values(name, value, channels, lowest, highest):
    """Returns a number, or one per channel, as a float or a tuple of floats, or raises ValueError.

    Args:
        name: of the argument.
        value: number, tuple, list or array.
        channels: how many values there must be if there are several.
        lowest, highest: each value is at least `lowest` and at most `highest`.
    """
    values = value.tolist() if isinstance(value, np.ndarray) else value
    values = values if isinstance(values, (tuple, list)) else (values,) * channels
    if len(values) != channels or not all(
        _is_number(each) and lowest <= each <= highest for each in values
    ):
        raise ValueError(
            f"`{name}` must be a number from {lowest:g} to {highest:g}, or a tuple of {channels}, "
            f"one per channel, got {_shown(value)}."
        )
    is_one = np.ndim(value) == 0
    return float(values[0]) if is_one else tuple(float(each) for each in values)


def check_pair(name, value):
    """Returns a whole number or a pair of them as a (height, width) tuple."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(
                f"`{name}` must be one number or (height, width), got {_shown(value)}."
            )
        return tuple(check_positive_int(name, side) for side in value)
    return (check_positive_int(name, value),) * 2


def check_image_shape(value):
    """Returns `image_shape` as a tuple (H, W, C), or raises ValueError."""
    is_triple = isinstance(value, (tuple, list)) and len(value) == 3
    if not is_triple:
        raise ValueError(f"`image_shape` must be (height, width, channels), got {_shown(value)}.")
    return tuple(check_positive_int("image_shape", side) for side in value)


def check_stages(name, value, check=check_positive_int, count=None):
    """Returns one value per stage as a tuple, each of them checked by `check`.

    Args:
        name: of the argument.
        value: tuple or list.
        check: as `check_positive_int`.
        count: number of values that it must have; None for any but 0.
    """
    is_list = isinstance(value, (tuple, list))
    if not is_list or not value or count not in (None, len(value)):
        number = "at least one value" if count is None else f"{count} values"
        raise ValueError(
            f"`{name}` must be a tuple of {number}, one per stage, got {_shown(value)}."
        )
    return tuple(check(name, each) for each in value)


def check_kernel_sizes(value):
    """Returns `kernel_sizes` as a tuple, or raises ValueError unless they are odd and differ."""
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    sizes = tuple(check_positive_int("kernel_sizes", size) for size in sizes)
    if len(set(sizes)) < len(sizes) or not all(size % 2 for size in sizes):
        raise ValueError(f"`kernel_sizes` must be odd numbers that differ, got {_shown(value)}.")
    return sizes


def patch_grid(image_shape, patch_size):
    """The (h, w) grid of patches; ValueError unless the patch divides height and width."""
    (height, width, _), (patch_height, patch_width) = image_shape, patch_size
    if height % patch_height or width % patch_width:
        raise ValueError(
            f"`image_shape`={image_shape} is not divisible by `patch_size`={patch_size}: "
            "height and width must be whole multiples of the patch."
        )
    return height // patch_height, width // patch_width


def check_pooling(pooling, include_top, class_token):
    """Raises ValueError unless features can be pooled so; by None, only without a classifier."""
    kinds = ("token", "avg") if class_token else ("avg",)
    check_choice("pooling", pooling, kinds if include_top else (*kinds, None))


# These names mean the same, and allow the same, in every architecture that has them.
_SHARED = {
    "num_classes": check_positive_int,
    "channel_mlp_dim": check_positive_int,
    "reduction": check_positive_int,
    "dropout_rate": check_rate,
    "drop_path_rate": check_rate,
    "layer_norm_epsilon": check_positive,
    "skip_lam": check_positive,
    "class_token": check_bool,
    "norm_after_pooling": check_bool,
    "gelu_approximate": check_bool,
    "weighted": check_bool,
    "qkv_bias": check_bool,
    "official_reassembly": check_bool,
    "deployed": check_bool,
    "remat": check_bool,
    "include_top": check_bool,
    "include_preprocessing": check_bool,
}


def check_shared(arguments, class_token=False):
    """Checks what needs no knowledge of an architecture, before any of its layers is built.

    Args:
        arguments: dict from the names of the constructor's arguments to their values.
        class_token: whether the architecture always has one; where it is an argument, that counts.
    """
    for name, check in _SHARED.items():
        if name in arguments:
            check(name, arguments[name])
    class_token = arguments.get("class_token", class_token)
    check_pooling(arguments["pooling"], arguments["include_top"], class_token)
    check_name(arguments["name"])
    check_dtype(arguments["dtype"])


def describe_choices(value, choices):
    """A sentence: the nearest choice, if one is near, and all of them."""
    names = {str(choice): repr(choice) for choice in choices}
    near = difflib.get_close_matches(_shown(value).strip("'"), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]}? " if near else ""
    return f"{hint}Allowed: {', '.join(names.values())}."


def _is_number(value, *kinds):
    # No fractions, no decimals: neither a config nor TensorFlow takes them.
    return isinstance(value, kinds or _NUMBERS) and not isinstance(value, bool)


def _shown(value):
    """`repr`, on one line and not too long."""
    try:
        text = repr(value).replace("\n", " ")
    except ValueError:  # an int of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:197]}..."
