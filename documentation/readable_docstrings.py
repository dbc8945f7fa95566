"""An extension of griffe, which reads the docstrings for the site."""

from typing import Any

import griffe

from documentation.argument_sections import with_argument_sections
from documentation.example_fences import with_fences


class ReadableDocstrings(griffe.Extension):
    """Shows examples as code, and every list of arguments as a list."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = with_argument_sections(with_fences(obj.docstring.value))
