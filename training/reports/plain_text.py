"""Names of classes as text of a picture."""

LONGEST = 24


def plain(name: str) -> str:
    """A short name, with "$" escaped, which matplotlib would take for mathematics."""
    return (name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…").replace("$", r"\$")
