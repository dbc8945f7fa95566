"""What the files of pictures are like: sizes, colours, copies in two splits."""

import concurrent.futures
import dataclasses
import hashlib
import pathlib
import warnings
from collections.abc import Iterable, Mapping

import PIL.Image

_GREY = ("1", "L", "LA", "La", "I", "I;16", "F")


@dataclasses.dataclass(frozen=True)
class PictureFacts:
    """Facts about many pictures.

    Attributes:
        count: number of pictures.
        grey: how many are stored without colours.
        smallest, largest: (width, height) of the pictures with the fewest and the most pixels.
        copies: paths of pictures whose file is also in a split before theirs, byte by byte.
    """

    count: int
    grey: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    copies: tuple[str, ...]


def picture_facts(files: Mapping[str, Iterable[str]]) -> PictureFacts:
    """Looks at every file.

    Args:
        files: paths, by split.

    Raises:
        ValueError: files are no pictures; the first few are named.
    """
    paths = [path for own in files.values() for path in own]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        found = dict(zip(paths, threads.map(_look, paths), strict=True))
    bad = [path for path, fact in found.items() if fact is None]
    if bad:
        shown = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        raise ValueError(
            f"{len(bad)} of {len(paths)} pictures cannot be read: {shown}. Replace or remove them."
        )
    facts = {path: fact for path, fact in found.items() if fact is not None}
    sizes = sorted((fact.size for fact in facts.values()), key=lambda size: size[0] * size[1])
    first: dict[bytes, str] = {}
    copies = []
    for split, own in files.items():
        for path in own:
            if first.setdefault(facts[path].digest, split) != split:
                copies.append(path)
    grey = sum(fact.is_grey for fact in facts.values())
    return PictureFacts(len(facts), grey, sizes[0], sizes[-1], tuple(copies))


@dataclasses.dataclass(frozen=True)
class _Fact:
    size: tuple[int, int]
    is_grey: bool
    digest: bytes


def _look(path: str) -> _Fact | None:
    """None for a file that is no picture."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files; decoding decides
            with PIL.Image.open(pathlib.Path(path)) as image:
                return _Fact(image.size, image.mode in _GREY, digest)
    except Exception:  # a damaged file can raise anything
        return None
