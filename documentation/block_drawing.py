"""Blocks of several models side by side, as one SVG file.

Every text stands on a fill of its own and lines are of a middle grey, so that the picture is
legible on a light and on a dark page.
"""

import dataclasses
from collections.abc import Sequence
from xml.sax.saxutils import escape

from documentation.block_graph import CHANNEL_MIXING, TOKEN_MIXING, Step
from documentation.layer_labels import is_pointwise, label

_FILLS = {TOKEN_MIXING: "#f6b26b", CHANNEL_MIXING: "#8ab8e6"}
_PLAIN, _TITLE, _LINE, _TEXT = "#e3e6ea", "#2f3b4a", "#8a94a3", "#17202b"
_COLUMN, _GAP, _LANE, _SPACE = 216, 12, 18, 14
# Fill, text, and share of the width.
_LEGEND = (
    (_FILLS[TOKEN_MIXING], "mixes tokens", 0.25),
    (_FILLS[CHANNEL_MIXING], "mixes channels", 0.25),
    (_PLAIN, "norm, scale, gate per channel", 0.5),
)
_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
    f"text-anchor:middle;fill:{_TEXT}}}"
    ".k{font-size:12px;font-weight:600}.n{font-size:10px;font-family:ui-monospace,monospace}"
    f".t{{font-size:13px;font-weight:700;fill:#fff}}path{{fill:none;stroke:{_LINE};"
    "stroke-width:1.5}"
)


@dataclasses.dataclass(frozen=True)
class Column:
    """One block with what stands above it.

    Attributes:
        title: such as "MLPMixer S/16".
        shape: of the block's input, such as "196 tokens x 512".
        steps: of `block_graph`.
    """

    title: str
    shape: str
    steps: Sequence[Step]


@dataclasses.dataclass
class _Fork:
    """Branches that start at one point and meet in a sum or product; an empty one is a skip."""

    branches: list[list["Step | _Fork"]]


def drawing(columns: Sequence[Column], per_row: int, title: str) -> str:
    """The text of an SVG file.

    Args:
        columns: blocks, drawn from the left to the right, row by row.
        per_row: number of columns in a row.
        title: what the picture shows, for those who cannot see it.

    Returns:
        Text that depends on the arguments only.
    """
    parts: list[str] = []
    top = _GAP
    for start in range(0, len(columns), per_row):
        bottom = top
        for at, column in enumerate(columns[start : start + per_row]):
            left = _GAP + at * (_COLUMN + _GAP)
            bottom = max(bottom, _draw_column(parts, column, left, top))
        top = bottom + 2 * _GAP
    width = _GAP + min(per_row, len(columns)) * (_COLUMN + _GAP)
    top = _draw_legend(parts, top, width)
    lines = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" '
        f'height="{top}" role="img">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n'
        f"{lines}\n</svg>\n"
    )


def _draw_column(parts: list[str], column: Column, left: int, top: int) -> int:
    _box(parts, left, top, _COLUMN, 26, _TITLE, [("t", column.title)])
    center = left + _COLUMN // 2
    y = _line(parts, center, top + 26)
    _box(parts, left + 28, y, _COLUMN - 56, 20, _PLAIN, [("n", column.shape)])
    y = _draw_chain(parts, _chain(column.steps), left, _COLUMN, y + 20)
    return _line(parts, center, y)


def _draw_chain(
    parts: list[str], chain: Sequence["Step | _Fork"], left: int, width: int, y: int
) -> int:
    """Draws steps below each other; returns where the last one ends."""
    center = left + width // 2
    for element in chain:
        if isinstance(element, _Fork):
            y = _draw_fork(parts, element, left, width, y)
            continue
        y = _line(parts, center, y) if not element.symbol else y
        y = _draw_step(parts, element, left, width, y)
    return y


def _draw_fork(parts: list[str], fork: _Fork, left: int, width: int, y: int) -> int:
    center = left + width // 2
    drawn = [branch for branch in fork.branches if branch]
    lanes = len(fork.branches) - len(drawn)
    inner = width - 2 * _LANE * lanes
    each = (inner - (len(drawn) - 1) * 6) // len(drawn)
    starts = [left + _LANE * lanes + at * (each + 6) for at in range(len(drawn))]
    fork_y = y + _SPACE // 2
    ends = [
        _draw_chain(parts, branch, start, each, fork_y)
        for branch, start in zip(drawn, starts, strict=True)
    ]
    join_y = max(ends) + _SPACE
    centers = [start + each // 2 for start in starts]
    centers += [left + _LANE * lane + _LANE // 2 for lane in range(lanes)]
    begins = [*ends, *[fork_y] * lanes]
    across = f"{min(centers)} {{}}H{max(*centers, center)}"
    _path(parts, f"M{center} {y}V{fork_y}M{across.format(fork_y)}M{across.format(join_y)}")
    for x, begin in zip(centers, begins, strict=True):
        _path(parts, f"M{x} {begin}V{join_y}")
    return join_y


def _draw_step(parts: list[str], step: Step, left: int, width: int, y: int) -> int:
    if step.symbol:
        return _draw_join(parts, step, left, width, y)
    if step.layer is None:  # a split
        _box(parts, left, y, width, 20, _PLAIN, [("k", "two halves")])
        return y + 20
    texts = label(step, width)
    height = 12 + 14 * len(texts)
    fill = _PLAIN if is_pointwise(step.layer) else _FILLS.get(step.part, _PLAIN)
    _box(parts, left, y, width, height, fill, texts)
    return y + height


def _draw_join(parts: list[str], step: Step, left: int, width: int, y: int) -> int:
    center = left + width // 2
    parts.append(f'<circle cx="{center}" cy="{y}" r="10" fill="{_PLAIN}" stroke="{_LINE}"/>')
    parts.append(f'<text class="k" x="{center}" y="{y + 4}">{step.symbol}</text>')
    for gate in step.gates:
        x = center + 22
        _path(parts, f"M{x} {y}H{center + 10}")
        name = gate.path.rpartition("/")[2].replace("global_", "")
        _box(parts, x, y - 9, left + width - x, 18, _PLAIN, [("n", name)])
    return y + 10


def _draw_legend(parts: list[str], top: int, width: int) -> int:
    left = _GAP
    for fill, text, share in _LEGEND:
        own = int((width - _GAP) * share) - _GAP
        _box(parts, left, top, own, 22, fill, [("n", text)])
        left += own + _GAP
    return top + 22 + _GAP


def _box(
    parts: list[str],
    left: int,
    top: int,
    width: int,
    height: int,
    fill: str,
    texts: Sequence[tuple[str, str]],
) -> None:
    parts.append(
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="4" fill="{fill}"/>'
    )
    first = top + height / 2 - 7 * (len(texts) - 1) + 4
    for at, (kind, text) in enumerate(texts):
        parts.append(
            f'<text class="{kind}" x="{left + width / 2:g}" y="{first + 14 * at:g}">'
            f"{escape(text)}</text>"
        )


def _line(parts: list[str], x: int, y: int) -> int:
    _path(parts, f"M{x} {y}V{y + _SPACE}")
    return y + _SPACE


def _path(parts: list[str], data: str) -> None:
    parts.append(f'<path d="{data}"/>')


def _chain(steps: Sequence[Step]) -> list["Step | _Fork"]:
    """Nested branches from the steps of a block, without its input."""
    users = {step: [each for each in steps if step in each.inputs] for step in steps}
    meets: dict[Step, frozenset[Step]] = {}  # the steps that every path from a step passes
    for step in reversed(steps):
        later = [meets[each] for each in users[step]]
        meets[step] = frozenset.intersection(*later) | {step} if later else frozenset({step})

    def until(step: Step, end: Step | None) -> list["Step | _Fork"]:
        """The steps after one, up to `end` and without it."""
        chain: list[Step | _Fork] = []
        while users[step]:
            if len(users[step]) == 1:
                step = users[step][0]
            else:
                # The nearest of the steps that all paths pass.
                join = max(meets[step] - {step}, key=lambda each: len(meets[each]))
                branches = [_branch(each, join) for each in users[step]]
                chain.append(_Fork(branches))
                step = join
            if step is end:
                break
            chain.append(step)
        return chain

    def _branch(step: Step, join: Step) -> list["Step | _Fork"]:
        return [] if step is join else [step, *until(step, join)]

    return until(steps[0], None)
