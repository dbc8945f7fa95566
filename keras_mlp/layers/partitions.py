"""Cutting maps into partitions and reassembling them."""

from keras import ops

from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Shape, Tensor


def partition_map(
    input_shape: Shape, partition_size: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Divides a map into partitions.

    Args:
        input_shape: (B, H, W, C).
        partition_size: (h, w) of a partition; None for the whole map.

    Returns:
        ((rows, columns) of partitions, (h, w) of each).

    Raises:
        ValueError: the size of the map is not known, or the partition does not divide it.
    """
    height, width = known_axis(input_shape, 1), known_axis(input_shape, 2)
    partition = partition_size or (height, width)
    if height % partition[0] or width % partition[1]:
        raise ValueError(
            f"`partition_size`={partition_size} does not divide a map of {height} x {width} pixels."
        )
    return (height // partition[0], width // partition[1]), partition


def to_partitions(x: Tensor, grid: tuple[int, int], partition: tuple[int, int]) -> Tensor:
    """(B, H, W, C) -> (B, rows, columns, C, h, w)."""
    x = ops.reshape(x, (-1, grid[0], partition[0], grid[1], partition[1], x.shape[-1]))
    return ops.transpose(x, (0, 1, 3, 5, 2, 4))


def from_partitions(x: Tensor, grid: tuple[int, int], partition: tuple[int, int]) -> Tensor:
    """(B, rows, columns, C, h, w) -> (B, H, W, C)."""
    height, width, channels = grid[0] * partition[0], grid[1] * partition[1], x.shape[3]
    x = ops.transpose(x, (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (-1, height, width, channels))
