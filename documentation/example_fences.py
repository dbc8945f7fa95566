"""Examples in docstrings as blocks of code: Markdown takes ">>>" for a quotation."""


def with_fences(docstring: str) -> str:
    """A docstring whose examples stand in fenced blocks.

    >>> with_fences("Adds one.\\n\\n>>> add(1)\\n2").splitlines()
    ['Adds one.', '', '```pycon', '>>> add(1)', '2', '```']
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
