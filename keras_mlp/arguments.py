"""Checks of arguments: each error names the argument, its value and what is allowed."""

import difflib
import math
import os
import pathlib
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import keras

_T = TypeVar("_T")
_LARGEST_COUNT = 2**31 - 1  # kernels index with 32 bits
_NUMBERS = (int, float, np.integer, np.floating)
_SMALLEST, _LARGEST = float(np.finfo("float32").tiny), float(np.finfo("float32").max)


def check_positive_int(name: str, value: Any) -> int:
    """Returns `value` as an int, or raises ValueError unless it is a positive integer."""
    if not _is_number(value, int, np.integer) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer, got {shown(value)}.")
    if value > _LARGEST_COUNT:
        raise ValueError(f"`{name}` must be at most {_LARGEST_COUNT}, got {shown(value)}.")
    return int(value)


def check_count(name: str, value: Any) -> int:
    """Returns `value` as an int, or raises ValueError unless it is 0 or a positive integer."""
    if _is_number(value, int, np.integer) and value == 0:
        return 0
    if not _is_number(value, int, np.integer) or value < 0:
        raise ValueError(f"`{name}` must be 0 or a positive integer, got {shown(value)}.")
    return check_positive_int(name, value)


def check_bool(name: str, value: Any) -> bool:
    """Returns `value` as a bool, or raises ValueError unless it is one: "no" would be truthy."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False, got {shown(value)}.")
    return bool(value)


def check_optional(name: str, value: Any, check: Callable[[str, Any], _T]) -> _T | None:
    """Returns None for None, and `check(name, value)` for any other value."""
    return None if value is None else check(name, value)


def check_rate(name: str, value: Any) -> float:
    """Returns `value` as a float, or raises ValueError unless it is in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1), got {shown(value)}.")
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Returns `value` as a float, or raises ValueError unless it is positive, also in float32."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a finite number above 0, got {shown(value)}.")
    if not _SMALLEST <= value <= _LARGEST:
        raise ValueError(
            f"`{name}` must be a number that float32 can represent, got {shown(value)}."
        )
    return float(value)


def check_choice(name: str, value: _T, choices: Iterable[Any]) -> _T:
    """Returns `value`, or raises ValueError that lists `choices` and names the nearest one."""
    # Not `in`: `value` may be unhashable, or an array, which compares element by element.
    if not any(isinstance(value, type(each)) and value == each for each in choices):
        raise ValueError(f"`{name}` is {shown(value)}. {describe_choices(value, choices)}")
    return value


def check_class_names(value: Any, owner: str, outputs: Any) -> tuple[str, ...]:
    """Returns names of classes as a tuple, or raises ValueError unless each logit has one line.

    Args:
        value: the names.
        owner: what has the logits, for the error.
        outputs: shape of the logits, (B, K).
    """
    if not isinstance(value, (list, tuple)) or len(outputs) != 2 or len(value) != outputs[-1]:
        found = shown(value) if isinstance(value, str) else f"a {type(value).__name__}"
        if isinstance(value, (list, tuple)):
            found = f"{len(value)} names"
        raise ValueError(
            f"`class_names` must be a list of one name per logit of {owner}, which gives "
            f"{outputs}; got {found}."
        )
    return tuple(check_class_name("class_names", name) for name in value)


def check_name(value: Any) -> str | None:
    """Returns `value` if it can be the `name` of a model, or raises ValueError."""
    if value is not None and (not isinstance(value, str) or not value or "/" in value):
        raise ValueError(f"`name` must be a string without '/', or None, got {shown(value)}.")
    return value


def check_class_name(name: str, value: Any) -> str:
    """Returns `value` if it can name a class, or raises ValueError."""
    fault = class_name_fault(value)
    if fault:
        raise ValueError(f"`{name}` must be strings of one line each, got {value!a}: {fault}.")
    return value


def class_name_fault(value: Any) -> str | None:
    """Returns why a value cannot name a class, or None if it can.

    Class names are lines of text files and parts of tables, pages and terminal output: they have
    no line breaks, no control characters, and no bytes that are not UTF-8, as a path may have.
    """
    if not isinstance(value, str):
        return "it is not a string"
    if not value.strip():
        return "it is empty"
    refused = {"Cc": "a control character", "Cs": "not UTF-8", "Zl": "a line break"}
    refused["Zp"] = refused["Zl"]
    for each in value:
        if fault := refused.get(unicodedata.category(each)):
            return f"{each!a} is {fault}"
    return None


def check_dtype(value: Any) -> "keras.DTypePolicy":
    """Returns the Keras dtype policy that `dtype` names, or raises ValueError."""
    import keras  # not at the top: command lines are checked before Keras loads

    try:
        policy = keras.dtype_policies.get(value)
        dtypes = (policy.compute_dtype, policy.variable_dtype)
        is_float = all(keras.backend.is_float_dtype(each) for each in dtypes)
        is_allowed = is_float and policy.quantization_mode is None
    except Exception:  # Keras raises many types
        is_allowed = False
    if not is_allowed:
        raise ValueError(
            "`dtype` must be a floating-point policy such as 'float32' or 'mixed_bfloat16', or "
            f"None, got {shown(value)}."
        )
    return policy


def check_path(name: str, value: Any) -> pathlib.Path:
    """Returns `value` as a path, or raises ValueError unless it can be one."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(
            f"`{name}` must be a path, a string that is not empty or a `pathlib.Path`, got "
            f"{shown(value)}."
        )
    return pathlib.Path(text)


def check_initializer(name: str, value: Any) -> Any:
    """Returns the Keras initializer that `value` stands for, or raises ValueError.

    None stands for Keras' default.
    """
    import keras

    try:
        found = keras.initializers.get(value)
    except Exception:  # Keras raises many types
        found = NotImplemented
    if found is not None and not callable(found):
        raise ValueError(
            f"`{name}` must be a Keras initializer: its name, such as 'zeros', its config or an "
            f"object, got {shown(value)}."
        )
    return found


def clone_initializer(initializer: Any) -> Any:
    """A copy that draws other numbers; a function, which has no state, as it is."""
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def check_channel_values(
    name: str, value: Any, channels: int, lowest: float, highest: float
) -> float | tuple[float, ...]:
    """Returns one number for all channels, or one per channel, as a float or a tuple of floats.

    Args:
        name: name of the argument.
        value: number, tuple, list or array.
        channels: number of values, if there is more than one.
        lowest: smallest allowed value.
        highest: largest allowed value.

    Raises:
        ValueError: `value` has another length, or a number is out of range.
    """
    values = value.tolist() if isinstance(value, np.ndarray) else value
    values = values if isinstance(values, (tuple, list)) else (values,) * channels
    if len(values) != channels or not all(
        _is_number(each) and lowest <= each <= highest for each in values
    ):
        raise ValueError(
            f"`{name}` must be a number from {lowest:g} to {highest:g}, or a tuple of {channels}, "
            f"one per channel, got {shown(value)}."
        )
    is_one = np.ndim(value) == 0
    return float(values[0]) if is_one else tuple(float(each) for each in values)


def check_pair(name: str, value: Any) -> tuple[int, int]:
    """Returns a positive integer, or a pair of them, as a (height, width) tuple."""
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise ValueError(f"`{name}` must be one number or (height, width), got {shown(value)}.")
    height, width = sides
    return check_positive_int(name, height), check_positive_int(name, width)


def check_image_shape(value: Any, name: str = "image_shape") -> tuple[int, int, int]:
    """Returns an image shape as a tuple (H, W, C), or raises ValueError."""
    is_triple = isinstance(value, (tuple, list)) and len(value) == 3
    if not is_triple:
        raise ValueError(f"`{name}` must be (height, width, channels), got {shown(value)}.")
    height, width, channels = (check_positive_int(name, side) for side in value)
    return height, width, channels


def check_stages(
    name: str,
    value: Any,
    check: Callable[[str, Any], Any] = check_positive_int,
    count: int | None = None,
) -> tuple[Any, ...]:
    """Returns one value per stage as a tuple, each checked by `check`.

    Args:
        name: name of the argument.
        value: tuple or list.
        check: a function such as `check_positive_int`.
        count: number of stages; None for one or more.

    Raises:
        ValueError: `value` is not such a tuple, or `check` refuses one of its values.
    """
    is_list = isinstance(value, (tuple, list))
    if not is_list or not value or count not in (None, len(value)):
        number = "at least one value" if count is None else f"{count} values"
        raise ValueError(
            f"`{name}` must be a tuple of {number}, one per stage, got {shown(value)}."
        )
    return tuple(check(name, each) for each in value)


def check_kernel_sizes(value: Any) -> tuple[int, ...]:
    """Returns `kernel_sizes` as a tuple, or raises ValueError unless they are odd and distinct."""
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    sizes = tuple(check_positive_int("kernel_sizes", size) for size in sizes)
    if len(set(sizes)) < len(sizes) or not all(size % 2 for size in sizes):
        raise ValueError(f"`kernel_sizes` must be distinct odd numbers, got {shown(value)}.")
    return sizes


def patch_grid(image_shape: tuple[int, ...], patch_size: tuple[int, int]) -> tuple[int, int]:
    """Returns the (h, w) grid of patches.

    Args:
        image_shape: (H, W, channels).
        patch_size: (height, width) of a patch.

    Raises:
        ValueError: the patch does not divide height and width.
    """
    (height, width, _), (patch_height, patch_width) = image_shape, patch_size
    if height % patch_height or width % patch_width:
        raise ValueError(
            f"`image_shape`={image_shape} is not divisible by `patch_size`={patch_size}: "
            "height and width must be multiples of the patch size."
        )
    return height // patch_height, width // patch_width


def check_pooling(pooling: str | None, include_top: bool, class_token: bool) -> None:
    """Raises ValueError unless `pooling` is allowed; None is, only without a classifier."""
    kinds = ("token", "avg") if class_token else ("avg",)
    check_choice("pooling", pooling, kinds if include_top else (*kinds, None))


def describe_choices(value: Any, choices: Iterable[Any]) -> str:
    """Returns a sentence with the choice nearest to `value`, if one is close, and all choices."""
    names = {str(choice): repr(choice) for choice in choices}
    near = difflib.get_close_matches(shown(value).strip("'"), names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]}? " if near else ""
    return f"{hint}Allowed: {', '.join(names.values())}."


def _is_number(value: Any, *kinds: type) -> bool:
    # Not fractions or decimals: neither a config nor TensorFlow takes them.
    return isinstance(value, kinds or _NUMBERS) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """Returns `repr(value)` on one line, shortened if it is long."""
    try:
        text = " ".join(repr(value).split("\n"))
    except ValueError:  # an int of thousands of digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:197]}..."
