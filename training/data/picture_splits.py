"""Which pictures of a folder train, which validate and which test; nothing is read but names."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

from training.data.picture_files import KINDS, class_folders, subfolders

SPLITS = ("train", "validation", "test")
# What folders of splits may be called.
_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
HELD_OUT = 0.15  # of every class, for each split that has no folder
FEWEST = 2  # pictures of a class: one to train on, one to test on


@dataclasses.dataclass
class PictureSplits:
    """The pictures of a folder, by split and class.

    Attributes:
        root: path of the folder.
        classes: names, in the order of the labels.
        files: from a split to the paths of each class, a dict by name. Splits without a picture are
            left out.
        cut: the splits that were cut from the training pictures, by a seed.
        notes: what a user may not expect, as sentences.
    """

    root: pathlib.Path
    classes: list[str]
    files: dict[str, dict[str, list[str]]]
    cut: tuple[str, ...]
    notes: list[str]

    def paths(self, split: str) -> list[str]:
        """All paths of a split."""
        return [path for own in self.files[split].values() for path in own]

    def count(self, split: str, name: str | None = None) -> int:
        """Number of pictures of a split, of one class or of all."""
        by_class = self.files.get(split, {})
        names = self.classes if name is None else [name]
        return sum(len(by_class.get(each, ())) for each in names)


def split_pictures(root: pathlib.Path, seed: int) -> PictureSplits:
    """Splits pictures `ROOT/CLASS/*` by a seed; or takes `ROOT/train/CLASS/*` as it is.

    With a folder `train`, the folders `validation` (or `val`) and `test` are the other splits where
    they exist. A split without a folder is cut from the training pictures: `HELD_OUT` of every
    class, at least one picture of each for "test", and for "validation" where three or more are
    there. The choice depends on the seed and the names of the files alone, so that a picture keeps
    its split when others are added.

    Raises:
        ValueError: there are no pictures, fewer than two classes, too few pictures of a class, or
            classes that the training pictures lack.
    """
    if not root.is_dir():
        raise ValueError(f"`--folder` {root} is not a folder.")
    folders = _split_folders(root)
    found = {split: class_folders(folder) for split, folder in folders.items()}
    training = found["train"]
    _check_classes(folders["train"], training.pictures, training.loose)
    classes = [*training.pictures]
    files = {split: each.pictures for split, each in found.items()}
    for split, by_class in files.items():
        if unknown := sorted(name for name in by_class if name not in classes):
            raise ValueError(
                f"`--folder` {folders[split]} has classes that {folders['train']} lacks: "
                f"{', '.join(map(repr, unknown))}."
            )
    cut = tuple(split for split in ("test", "validation") if split not in files)
    _check_counts(folders["train"], training.pictures, FEWEST if "test" in cut else 1)
    for split in cut:
        files = _cut(files, split, seed, folders["train"])
    notes = [note for each in found.values() for note in each.notes()]
    unused = [name for name in subfolders(root) if root / name not in folders.values()]
    if folders["train"] != root and unused:
        notes.append(f"{root}: not used, as there is a folder train: {', '.join(unused)}.")
    files = {split: by_class for split, by_class in files.items() if any(by_class.values())}
    return PictureSplits(root, classes, files, cut, notes)


def _split_folders(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """The folder of each split; the root itself for training where there are only classes."""
    if not (root / "train").is_dir() or not subfolders(root / "train"):
        return {"train": root}
    return {
        split: root / name
        for split, names in _FOLDERS.items()
        for name in [next((each for each in names if (root / each).is_dir()), None)]
        if name is not None
    }


def _check_classes(
    folder: pathlib.Path, pictures: Mapping[str, Sequence[str]], loose: Sequence[str]
) -> None:
    if not pictures or not any(pictures.values()):
        where = f" {len(loose)} picture(s) are in no class folder." if loose else ""
        raise ValueError(
            f"`--folder` {folder} holds no folders of pictures. It must hold a folder per class, "
            f"CLASS/*, with {KINDS} files.{where}"
        )
    if len(pictures) == 1:
        raise ValueError(
            f"`--folder` {folder} holds one class, {next(iter(pictures))!r}: a classifier needs a "
            "folder for each of two or more classes."
        )


def _check_counts(folder: pathlib.Path, pictures: Mapping[str, Sequence[str]], fewest: int) -> None:
    few = {name: len(paths) for name, paths in pictures.items() if len(paths) < fewest}
    if few:
        shown = ", ".join(f"{name!r} ({count})" for name, count in list(few.items())[:10])
        why = ", one to train on and one to test on" if fewest > 1 else ""
        raise ValueError(
            f"`--folder` {folder} has too few pictures of {len(few)} class(es): {shown}. Each "
            f"needs {fewest} or more{why}: add pictures, or remove the folder."
        )


def _cut(
    files: Mapping[str, dict[str, list[str]]], split: str, seed: int, folder: pathlib.Path
) -> dict[str, dict[str, list[str]]]:
    """The same files, with a share of the training pictures of every class as a new split."""
    kept: dict[str, list[str]] = {}
    held: dict[str, list[str]] = {}
    for name, paths in files["train"].items():
        spare = len(paths) - 1  # one stays, and one more where validation pictures are cut
        count = min(max(round(HELD_OUT * len(paths)), 1), spare)
        order = sorted(paths, key=lambda path: _draw(seed, split, path, folder))
        held[name], kept[name] = sorted(order[:count]), sorted(order[count:])
    return {**files, "train": kept, split: held}


def _draw(seed: int, split: str, path: str, folder: pathlib.Path) -> bytes:
    """A number that depends on the picture's own name, wherever the folder is."""
    own = pathlib.Path(path).relative_to(folder).as_posix()
    return hashlib.sha256(f"{seed}/{split}/{own}".encode("utf-8", "surrogateescape")).digest()
