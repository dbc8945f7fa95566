"""An extension of griffe, which reads the docstrings for the site."""

from typing import Any

import griffe

from documentation.example_fences import with_fences


class DoctestFences(griffe.Extension):
    """Shows the examples in docstrings as code."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = with_fences(obj.docstring.value)
