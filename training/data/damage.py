"""What is said about damaged pictures."""

import collections.abc

SHOWN = 10


def beyond_limit(damaged: collections.abc.Mapping[str, str], limit: int) -> str | None:
    """The error where more pictures are damaged than allowed, or None.

    Args:
        damaged: from the name of a picture to why it cannot be read, "" if it is merely damaged.
        limit: `data.max_corrupt`.
    """
    if len(damaged) <= limit:
        return None
    shown = [described(*each) for each in list(damaged.items())[:SHOWN]]
    shown += ["..."] if len(damaged) > SHOWN else []
    return (
        f"{len(damaged)} damaged picture(s), more than `data.max_corrupt`={limit}: "
        f"{'; '.join(shown)}."
    )


def described(name: str, reason: str) -> str:
    """A damaged picture in a message."""
    return f"{name} ({reason})" if reason else name


def all_damaged(use: str) -> ValueError:
    """The error of a split, for "training" or "evaluation", that has damaged pictures only."""
    return ValueError(
        f"Every picture read for {use} is damaged: the warnings above name them. Check the files; "
        "`data.max_corrupt` is for a few damaged ones."
    )
