"""What a constructor was given: collected once, checked once, passed on by name."""

import inspect
import types
from collections.abc import Callable
from typing import Any

from keras_mlp.arguments import (
    check_bool,
    check_choice,
    check_count,
    check_dtype,
    check_image_shape,
    check_name,
    check_optional,
    check_pair,
    check_pooling,
    check_positive,
    check_positive_int,
    check_rate,
    patch_grid,
)

Check = Callable[[str, Any], Any]
CLASSIFIER_ACTIVATIONS = (None, "softmax", "sigmoid")


class Arguments(types.SimpleNamespace):
    """The arguments of a constructor: each is an attribute, checked and in its normal form.

    Attributes:
        given: the same arguments as the caller gave them, for `get_config`.
        grid: (h, w) of the patches, where there are images and patches.
    """

    given: dict[str, Any]

    def of(self, block: Any, **own: Any) -> dict[str, Any]:
        """The arguments that a block class takes by the same name, and `own` over them."""
        names = {*inspect.signature(block.__init__).parameters, "remat", "dtype"} - {"self"}
        shared = {name: value for name, value in vars(self).items() if name in names}
        return {**shared, **own}


def optional(check: Check) -> Check:
    """A check that also allows None."""
    return lambda name, value: check_optional(name, value, check)


# An argument of one of these names means the same, and allows the same, in every constructor. Where
# it does not, the constructor gives a check of its own.
_CHECKS: dict[str, Check] = {
    "classifier_activation": lambda name, value: check_choice(name, value, CLASSIFIER_ACTIVATIONS),
    "image_shape": lambda name, value: check_image_shape(value),
    "patch_size": check_pair,
    "name": lambda name, value: check_name(value),
    "dtype": lambda name, value: check_dtype(value),
    **dict.fromkeys(
        (
            "num_layers",
            "hidden_dim",
            "num_heads",
            "token_mlp_dim",
            "channel_mlp_dim",
            "num_classes",
            "reduction",
        ),
        check_positive_int,
    ),
    **dict.fromkeys(("attention_dim", "representation_size"), optional(check_positive_int)),
    "reg_tokens": check_count,
    **dict.fromkeys(("dropout_rate", "drop_path_rate"), check_rate),
    **dict.fromkeys(("layer_norm_epsilon", "layer_scale_init_value", "skip_lam"), check_positive),
    **dict.fromkeys(
        (
            "class_token",
            "distillation_token",
            "pre_norm",
            "quick_gelu",
            "norm_after_pooling",
            "gelu_approximate",
            "weighted",
            "qkv_bias",
            "no_embed_class",
            "official_reassembly",
            "deployed",
            "remat",
            "include_top",
            "include_preprocessing",
        ),
        check_bool,
    ),
}


def checked(values: dict[str, Any], **checks: Check) -> Arguments:
    """Collects the arguments of a constructor and checks them, before any layer is built.

    Args:
        values: the constructor's `locals()`, taken before it binds a name of its own.
        **checks: checks of arguments, by name, in place of the shared ones.

    Returns:
        The checked arguments. Arguments that no check knows are passed on as they are.

    Raises:
        ValueError: an argument is out of range; the message names it.
    """
    given = {name: each for name, each in values.items() if name not in ("self", "__class__")}
    arguments = Arguments(given=given, **given)
    for name, check in {**_CHECKS, **checks}.items():
        if name in given:
            setattr(arguments, name, check(name, given[name]))
    if "pooling" in given:
        has_class_token = given.get("class_token", values["self"].has_class_token)
        check_pooling(arguments.pooling, arguments.include_top, has_class_token)
    if "image_shape" in given:
        arguments.grid = patch_grid(arguments.image_shape, arguments.patch_size)
    return arguments
