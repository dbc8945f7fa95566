"""Which of its sizes a step of a run trains at: a function of the seed and the step.

Both engines draw the same sizes. On TensorFlow `tf.random.stateless_uniform` draws them inside the
loop of steps. On JAX each size is a program of its own, so the host draws, without TensorFlow.
"""

# Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_INCREMENTS = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_LOW = 0xFFFFFFFF
# TensorFlow mixes the two numbers of a stateless seed with this key.
_MIXING_KEY = 0x3EC8F720, 0x02461E29


def drawn_size(seed: int, step: int, count: int) -> int:
    """The number of a step's size.

    Args:
        seed: of the run, a non-negative integer.
        step: counted from 0.
        count: how many sizes there are.

    Returns:
        An integer from 0 to `count - 1`; what `tf.random.stateless_uniform((), (seed, step),
        maxval=count, dtype="int32")` returns on a CPU.

    >>> [drawn_size(0, step, 3) for step in range(8)]
    [2, 0, 2, 2, 2, 0, 1, 1]
    """
    first, second, *counter = _philox((*_words(seed), *_words(step)), _MIXING_KEY)
    return _philox((0, 0, *counter), (first, second))[0] % count


def _words(number: int) -> tuple[int, int]:
    """The low and the high 32 bits of a number of 64."""
    return number & _LOW, number >> 32


def _philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Four random words, from a counter of four and a key of two."""
    for _ in range(_ROUNDS):
        one, two = (factor * word for factor, word in zip(_MULTIPLIERS, counter[::2], strict=True))
        counter = (
            (two >> 32) ^ counter[1] ^ key[0],
            two & _LOW,
            (one >> 32) ^ counter[3] ^ key[1],
            one & _LOW,
        )
        key = (key[0] + _INCREMENTS[0]) & _LOW, (key[1] + _INCREMENTS[1]) & _LOW
    return counter
