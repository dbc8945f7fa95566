"""How much memory the tensors of a file may need: a small file must not fill the machine."""

import math
from collections.abc import Sequence

from keras_mlp.weights.refusal import RefusedFileError

# Published files hold their tensors uncompressed, and each number once, so that they need about as
# much memory as disk. Compression and tensors that share numbers are allowed some room.
_ALWAYS_ALLOWED = 2**30
_LARGEST_RATIO = 8


def check_size(needed: int, file_size: int) -> None:
    """Raises RefusedFileError if tensors need more than 1 GiB and more than 8 times their file.

    Args:
        needed: bytes that the tensors need in memory.
        file_size: bytes of the file that holds them.
    """
    limit = max(_ALWAYS_ALLOWED, _LARGEST_RATIO * file_size)
    if needed > limit:
        raise RefusedFileError(
            f"its tensors would need {needed:,} bytes of memory; a file of {file_size:,} bytes may "
            f"need {limit:,}."
        )


def size_of(shape: Sequence[int], itemsize: int) -> int:
    """Returns the bytes that a tensor needs, counting an empty axis as 1.

    Otherwise a shape such as (2**40, 0) would need nothing, and loops over its first axis forever.

    Raises:
        ValueError: `shape` is not made of sizes.
    """
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"it holds a tensor of shape {tuple(shape)}.")
    return math.prod(max(size, 1) for size in shape) * max(itemsize, 1)
