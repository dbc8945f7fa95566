"""Checks of arguments: each error names the argument, its value and what is allowed."""

import difflib
import math
import numbers


def check_positive_int(name, value):
    """Returns `value` as an int, or raises ValueError unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1, got {value!r}.")
    return int(value)


def check_rate(name, value):
    """Returns `value` as a float, or raises ValueError unless it lies in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1), got {value!r}.")
    return float(value)


def check_positive(name, value):
    """Returns `value` as a float, or raises ValueError unless it is finite and above 0."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"`{name}` must be a finite number above 0, got {value!r}.")
    return float(value)


def check_choice(name, value, choices):
    """Returns `value`, or raises ValueError that lists `choices` and names the nearest one."""
    if value not in list(choices):  # by equality: `value` may be of a kind that has no hash
        raise ValueError(f"`{name}` is {value!r}. {describe_choices(value, choices)}")
    return value


def check_pair(name, value):
    """Returns a whole number or a pair of them as a (height, width) tuple."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"`{name}` must be one number or (height, width), got {value!r}.")
        return tuple(check_positive_int(name, side) for side in value)
    return (check_positive_int(name, value),) * 2


def check_image_shape(value):
    """Returns `image_shape` as a tuple (H, W, C), or raises ValueError."""
    is_triple = isinstance(value, (tuple, list)) and len(value) == 3
    if not is_triple:
        raise ValueError(f"`image_shape` must be (height, width, channels), got {value!r}.")
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
        raise ValueError(f"`{name}` must be a tuple of {number}, one per stage, got {value!r}.")
    return tuple(check(name, each) for each in value)


def check_kernel_sizes(value):
    """Returns `kernel_sizes` as a tuple, or raises ValueError unless they are odd and differ."""
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    sizes = tuple(check_positive_int("kernel_sizes", size) for size in sizes)
    if len(set(sizes)) < len(sizes) or not all(size % 2 for size in sizes):
        raise ValueError(f"`kernel_sizes` must be odd numbers that differ, got {value!r}.")
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


def describe_choices(value, choices):
    """A sentence: the nearest choice, if one is near, and all of them."""
    names = {str(choice): repr(choice) for choice in choices}
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]}? " if near else ""
    return f"{hint}Allowed: {', '.join(names.values())}."
