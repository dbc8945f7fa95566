"""Files and folders that appear whole or not at all.

A file or folder is written in a workshop, a hidden folder next to its destination. Once complete,
it is flushed to the disk and renamed into place. The process that owns a workshop locks a file in
it. The kernel releases the lock when the process ends, however it ends, so the next writer of the
same path can tell a leftover from work in progress, and removes it.
"""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from typing import BinaryIO

from keras_mlp.errors import first_line

# Names in a workshop. What is written is called "new", plus the suffix of its destination.
_LOCK, _OLD = "lock", "old"
_WORKSHOP = re.compile(r"\.(.+)\.[0-9a-f]{32}\.partial")
# The disk is full, over quota, broken or read-only.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def check_free(path: pathlib.Path, hint: str) -> None:
    """Raises FileExistsError, with a hint what to do, if there is something at a path."""
    if path.exists():
        raise FileExistsError(f"There is something at {path} already; {hint}.")


def check_replaceable(
    path: pathlib.Path,
    overwrite: bool,
    is_ours: Callable[[pathlib.Path], bool],
    complaint: str,
    option: str = "overwrite",
) -> None:
    """Raises FileExistsError if there is something at a path that must not be replaced.

    Args:
        path: of the file or folder to write.
        overwrite: replace what is there.
        is_ours: whether a path holds what this writer writes. Nothing else is replaced.
        complaint: what to say otherwise, such as "is not a SavedModel".
        option: what the user calls `overwrite`.
    """
    if not overwrite:
        check_free(path, "`overwrite` is False" if option == "overwrite" else f"see `{option}`")
    elif path.exists() and not is_ours(path):
        raise FileExistsError(f"{path} {complaint}: `{option}` replaces nothing else.")


def made_folder(path: str | os.PathLike[str], name: str) -> pathlib.Path:
    """The path of a folder, which is created if it does not exist.

    Args:
        path: of the folder.
        name: what the user calls it, for the error.

    Raises:
        OSError: it cannot be created.
    """
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _os_error(f"`{name}` {folder} cannot be created", error) from error
    return folder


@contextlib.contextmanager
def whole_file(
    path: str | os.PathLike[str], *writer_errors: type[Exception]
) -> Iterator[pathlib.Path]:
    """Yields a path to write a file to, which is renamed to `path` if the block succeeds.

    The file gets the mode that `open` would give it: that of the file it replaces, if any.

    Args:
        path: of the file, in an existing folder. A file that is there is replaced.
        *writer_errors: what the block raises, besides OSError, when it cannot write.

    Raises:
        OSError: `path` cannot be written; it is as it was before.
    """
    path = pathlib.Path(path)
    with _workshop(path) as workshop, write_errors(path, *writer_errors):
        new = workshop / f"new{path.suffix}"
        yield new
        like = path if path.exists() else workshop / _LOCK
        new.chmod(stat.S_IMODE(like.stat().st_mode))
        move_into_place(new, path)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a new folder, which takes the place of `path` if the block succeeds.

    Args:
        path: of the folder, in an existing one. What is there is replaced; `check_replaceable`
            tells whether it may be.

    Raises:
        OSError: `path` cannot be written; it is as it was before.
    """
    path = pathlib.Path(path).resolve()
    with _workshop(path) as workshop:
        try:
            new = workshop / "new"
            new.mkdir()
            yield new
            _replace_folder(new, path, workshop / _OLD)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            raise _os_error(f"{path} cannot be written", error) from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole or not at all; see `whole_file`."""
    with whole_file(path) as new:
        new.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, in UTF-8, whole or not at all; see `whole_file`."""
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def write_errors(path: pathlib.Path, *writer_errors: type[Exception]) -> Iterator[None]:
    """Turns errors of the block into an OSError that names the file.

    Args:
        path: what the block writes.
        *writer_errors: what it raises, besides OSError, when it cannot write.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *writer_errors)
    try:
        yield
    except kinds as error:
        raise _os_error(f"{path} cannot be written", error) from error


def move_into_place(new: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a complete file to `path`, once its content is on the disk."""
    _sync(new)
    os.replace(new, path)
    _sync_entry(path)


def lock_file(stream: BinaryIO, *, wait: bool = True) -> bool:
    """Locks an open file against other processes until it is closed.

    Returns:
        True; or False on Windows, where it does nothing.

    Raises:
        OSError: another process has locked it and `wait` is False, or the file system cannot lock.
    """
    try:
        import fcntl
    except ImportError:
        return False
    fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def remove_leftovers(folder: str | os.PathLike[str], name: str | None = None) -> None:
    """Removes the workshops of writers that were killed.

    Args:
        folder: path of the folder that they wrote in. It need not exist.
        name: of the file or folder that they wrote; None for any.
    """
    # What cannot be listed, locked or removed stays: its writer may be alive, or another user.
    with contextlib.suppress(OSError):
        for workshop in list(pathlib.Path(folder).iterdir()):
            match = _WORKSHOP.fullmatch(workshop.name)
            if match is None or name not in (None, match[1]):
                continue
            with contextlib.suppress(OSError), open(workshop / _LOCK, "r+b") as lock:
                if lock_file(lock, wait=False):
                    _remove_leftover(workshop, workshop.with_name(match[1]))


@contextlib.contextmanager
def _workshop(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new folder next to `path` that belongs to this process; removes it afterwards."""
    try:
        remove_leftovers(path.parent, path.name)
        workshop, lock = _claim_workshop(path)
    except OSError as error:
        raise _os_error(f"Cannot write in {path.parent}", error) from error
    try:
        yield workshop
    finally:
        lock.close()
        # An old folder that could not be moved back is all there is.
        if path.exists() or not (workshop / _OLD).exists():
            shutil.rmtree(workshop, ignore_errors=True)


def _claim_workshop(path: pathlib.Path) -> tuple[pathlib.Path, BinaryIO]:
    while True:
        workshop = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        workshop.mkdir(mode=0o700)
        try:
            lock = open(workshop / _LOCK, "xb")  # noqa: SIM115, it stays open as long as the lock
        except BaseException:
            workshop.rmdir()
            raise
        with contextlib.suppress(OSError):  # then nobody can take it for a leftover either
            lock_file(lock)
        if (workshop / _LOCK).exists():
            return workshop, lock
        lock.close()  # another writer came between `open` and `lock_file`, and removed it


def _remove_leftover(workshop: pathlib.Path, path: pathlib.Path) -> None:
    if (workshop / _OLD).exists() and not path.exists():
        (workshop / _OLD).rename(path)  # its writer was killed between two renames
    shutil.rmtree(workshop)


def _replace_folder(new: pathlib.Path, path: pathlib.Path, old: pathlib.Path) -> None:
    for entry in (*new.rglob("*"), new):
        if not entry.is_symlink():
            _sync(entry)
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise
    _sync_entry(path)


def _sync(path: pathlib.Path) -> None:
    """Waits until a file or folder is on the disk."""
    if os.name == "nt":  # needs a file that is open for writing, and cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot do this
            raise
    finally:
        os.close(descriptor)


def _sync_entry(path: pathlib.Path) -> None:
    """Waits until a rename to `path` is on the disk; it has succeeded already."""
    with contextlib.suppress(OSError):
        _sync(path.parent)


def _os_error(complaint: str, error: Exception) -> OSError:
    """An OSError of the same kind, with another message."""
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if number else first_line(error).rstrip(".")
    # Subclasses from elsewhere may take other arguments.
    kind = type(error) if isinstance(error, OSError) else OSError
    new = (kind if kind.__module__ == "builtins" else OSError)(f"{complaint}: {reason}.")
    new.errno = number
    return new
