"""Maps cut into partitions, and put together again."""

from keras import ops


def partition_map(input_shape, partition_size):
    """((rows, columns) of partitions, (h, w) of each); ValueError unless they fill the map."""
    height, width = input_shape[1:3]
    partition = partition_size or (height, width)
    if None in partition or height % partition[0] or width % partition[1]:
        raise ValueError(
            f"`partition_size`={partition_size} does not divide a map of {height} x {width} pixels."
        )
    return (height // partition[0], width // partition[1]), partition


def to_partitions(x, grid, partition):
    """(B, H, W, C) -> (B, rows, columns, C, h, w)."""
    x = ops.reshape(x, (-1, grid[0], partition[0], grid[1], partition[1], x.shape[-1]))
    return ops.transpose(x, (0, 1, 3, 5, 2, 4))


def from_partitions(x, grid, partition):
    """(B, rows, columns, C, h, w) -> (B, H, W, C)."""
    height, width, channels = grid[0] * partition[0], grid[1] * partition[1], x.shape[3]
    x = ops.transpose(x, (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (-1, height, width, channels))
