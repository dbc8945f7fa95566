"""Sections of docstrings that list arguments under a title of their own."""

import re

_SECTION = re.compile(r"^( *)(Args of [^:\n]+|Call arguments):$", re.MULTILINE)


def with_argument_sections(docstring: str) -> str:
    """A docstring whose lists of arguments all have a title that griffe knows.

    >>> print(with_argument_sections("Call arguments:\\n    x: an image."))
    Args: Call arguments
        x: an image.
    """
    return _SECTION.sub(r"\1Args: \2", docstring)
