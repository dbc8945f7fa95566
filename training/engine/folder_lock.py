"""One run at a time in a folder."""

import contextlib
import datetime
import logging
import os
import pathlib
import socket
import weakref
from typing import IO

from keras_mlp.errors import first_line
from keras_mlp.whole_files import lock_file

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"


class FolderLock:
    """Keeps other runs out of a folder until `release`, or until this process ends.

    The kernel holds the lock (`flock` on an open file) and releases it however the process ends. A
    killed run leaves the file, whose text then says nothing: only the lock counts.

    It holds between all processes of one machine, and between the hosts of a network file system
    that shares locks: NFS with its lock service, Lustre mounted with `flock`, CephFS, GPFS. On one
    that refuses to lock, a warning says that a second run is not noticed. Windows has no such lock.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: another run holds the folder; the message names its process.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        path = folder / LOCK_FILE
        while True:
            stream = open(path, "a+b")  # noqa: SIM115, it stays open as long as the lock
            try:
                lock_file(stream, wait=False)
            except BlockingIOError:
                with stream:
                    raise ValueError(_in_use(folder, stream)) from None
            except OSError as error:
                log.warning(
                    "%s cannot be locked (%s): a second run in it would not be noticed.",
                    folder,
                    first_line(error),
                )
            if _is_at(stream, path):
                break
            stream.close()  # its owner removed it between `open` and `lock_file`
        since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        owner = f"process {os.getpid()} on {socket.gethostname()} since {since}\n"
        stream.truncate(0)
        stream.write(owner.encode())
        stream.flush()
        self.release = weakref.finalize(self, _release, stream, path)


def _in_use(folder: pathlib.Path, stream: IO[bytes]) -> str:
    stream.seek(0)
    # Empty for an instant: its owner writes after it has locked.
    owner = stream.read(200).decode(errors="replace").partition("\n")[0] or "another process"
    return (
        f"`--workdir` {folder} is in use by {owner}. Wait until that run has ended, or choose "
        "another folder."
    )


def _release(stream: IO[bytes], path: pathlib.Path) -> None:
    """Removes the file while it is locked, so that nobody else's is removed."""
    with stream, contextlib.suppress(OSError):
        if _is_at(stream, path):
            path.unlink()


def _is_at(stream: IO[bytes], path: pathlib.Path) -> bool:
    """Whether an open file is the one that is now at a path."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
