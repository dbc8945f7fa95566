"""Shows the examples in docstrings as code: Markdown takes ">>>" for a quotation."""

from typing import Any

import griffe


def with_fences(docstring: str) -> str:
    """A docstring whose examples stand in fenced blocks.

    >>> print(with_fences("Adds one.\\n\\n>>> add(1)\\n2").replace("`", "'"))
    Adds one.
    <BLANKLINE>
    '''pycon
    >>> add(1)
    2
    '''
    """
    lines: list[str] = []
    indent = None
    for line in docstring.splitlines():
        code = line.lstrip()
        if indent is None and code.startswith(">>> "):
            indent = line[: len(line) - len(code)]
            lines.append(f"{indent}```pycon")
        elif indent is not None and not code:
            lines.append(f"{indent}```")
            indent = None
        lines.append(line)
    if indent is not None:
        lines.append(f"{indent}```")
    return "\n".join(lines)


class DoctestFences(griffe.Extension):
    """An extension of griffe, which reads the docstrings for the site."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = with_fences(obj.docstring.value)
