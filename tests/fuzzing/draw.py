"""Values that are likely to break something, drawn from a seeded generator."""

import fractions
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

NUMBERS = (
    *(0, 1, -1, 2, 3, 7, -3, True, False, 2**31, 2**63, 10**30, -(10**5000)),
    *(0.5, 1.0, 1.5, -0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"), 1j),
)
TEXTS = (
    *("", " ", "no", "8", "0", "-1", "1e999", "nan", "None", "True", "../..", "~", "-", "--"),
    *("a/b", "a\nb", "a\tb", "\0", "é", "日本", "\u202e", "\udcff", "%s", "{}", "'", '"', "*"),
    *("x" * 300, "x" * 5000, "block_0", "head", "stem", "avg", "float32", "int8", "softmax"),
)
# What can be an argument of a process: no NUL, and bytes that are not UTF-8 as surrogates. A line
# break in a path is one in the message too.
WORDS = tuple(text for text in TEXTS if "\0" not in text and "\n" not in text)


class Draw:
    """A seeded source of values.

    Args:
        seed: anything with a `repr`; equal seeds give equal values.
    """

    def __init__(self, seed: Any) -> None:
        self.random = random.Random(repr(seed))

    def one(self, values: Sequence[Any]) -> Any:
        return values[self.random.randrange(len(values))]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def wild(self) -> Any:
        """A value of any type."""
        kind = self.random.randrange(7)
        if kind == 0:
            return None
        if kind == 1:
            return self.one(NUMBERS)
        if kind == 2:
            return self.one(TEXTS)
        if kind == 3:
            return [self.one((*NUMBERS[:8], "a", None)) for _ in range(self.random.randrange(4))]
        if kind == 4:
            return tuple(self.one((1, 2, 3, 8, 16, 2.0)) for _ in range(self.random.randrange(5)))
        if kind == 5:
            shape = self.one(((), (3,), (2, 8, 8, 3), (0,)))
            return np.full(
                shape, self.one((0, 1, 0.5, 255)), self.one(("float32", "uint8", "int64"))
            )
        return self.one(
            (
                *({}, {"a": 1}, {1}, b"8", int, len, range(2), fractions.Fraction(1, 2)),
                *(np.int64(2), np.float32(0.5), np.bool_(True), ..., NotImplemented),
            )
        )

    def changed(
        self, arguments: Mapping[str, Any], plausible: Mapping[str, Sequence[Any]], most: int = 2
    ) -> tuple[dict[str, Any], list[str]]:
        """The arguments with some of `plausible` replaced, and the names of those.

        Half of the new values come from `plausible`, which maps a name to values that are right or
        nearly so; the others are wild.
        """
        names = self.random.sample(
            sorted(plausible), min(len(plausible), self.random.randint(1, most))
        )
        new = dict(arguments)
        for name in names:
            values = plausible[name]
            new[name] = self.one(values) if values and self.chance(0.5) else self.wild()
        return new, names

    def damaged(self, content: bytes) -> bytes:
        """The bytes of a file after an accident."""
        kind = self.random.randrange(6)
        at = self.random.randrange(len(content) + 1)
        if kind == 0:
            return content[:at]
        if kind == 1:
            return content[:at] + bytes(64) + content[at + 64 :]
        if kind == 2 and content:
            at = min(at, len(content) - 1)
            return (
                content[:at]
                + bytes([content[at] ^ self.random.randrange(1, 256)])
                + content[at + 1 :]
            )
        if kind == 3:
            return self.random.randbytes(self.random.randrange(200))
        if kind == 4:
            return content + self.random.randbytes(20)
        return self.one((b"", b"\0" * 1000, b"PK\x05\x06" + bytes(18), b"{}", b"null", b"\xff\xfe"))

    def damaged_tree(self, tree: Any) -> Any:
        """A JSON tree with one value removed or replaced, somewhere inside."""
        if self.chance(0.3) or not isinstance(tree, (dict, list)) or not tree:
            return self.one((None, [], {}, "", "a", -1, 1e999, True, [1], {"a": {}}, 10**40))
        if isinstance(tree, dict):
            key = self.one(list(tree))
            if self.chance(0.25):
                return {name: value for name, value in tree.items() if name != key}
            return {**tree, key: self.damaged_tree(tree[key])}
        at = self.random.randrange(len(tree))
        return [*tree[:at], self.damaged_tree(tree[at]), *tree[at + 1 :]]


def shown(value: Any) -> str:
    """`repr`, on one line and short."""
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        text = "a huge int"
    text = " ".join(ascii(text)[1:-1].split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def call_shown(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as a person would write it."""
    return f"{name}({', '.join(f'{key}={shown(value)}' for key, value in arguments.items())})"
