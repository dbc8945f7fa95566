"""Parts of pages that programs write, between two comments:

<!-- made: KIND ARGUMENT -->
...
<!-- end -->
"""

import re
from collections.abc import Callable, Mapping

_PART = re.compile(r"(<!-- made: (\w+) (\w*) ?-->\n).*?(<!-- end -->)", re.DOTALL)


def with_made_parts(text: str, makers: Mapping[str, Callable[[str], str]]) -> str:
    """The text of a page with every part made again.

    Args:
        text: of the page.
        makers: from the kind of a part to a function from its argument, "" if it has none, to what
            the part holds.

    Raises:
        KeyError: the page has a part of another kind.
    """
    return _PART.sub(lambda part: f"{part[1]}{makers[part[2]](part[3])}\n{part[4]}", text)
