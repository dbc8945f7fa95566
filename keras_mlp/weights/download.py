"""Downloads: complete and verified, or not at all."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import IO, Any

from keras_mlp.whole_files import lock_file, move_into_place

_BLOCK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_ATTEMPTS = 3
_ELSEWHERE = (
    "Set `cache_dir`, or the environment variable KERAS_MLP_CACHE, to a folder that can be written"
)


class _Interrupted(OSError):
    """The connection ended before the file was complete."""


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns the cache of weights: `cache_dir`, $KERAS_MLP_CACHE or ~/.keras/keras_mlp.

    Raises:
        ValueError: the folder is below the home folder, and there is none.
    """
    chosen = cache_dir or os.environ.get("KERAS_MLP_CACHE") or "~/.keras/keras_mlp"
    try:
        return pathlib.Path(chosen).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"There is no home folder for the cache of weights, {chosen}. {_ELSEWHERE}."
        ) from error


def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    verbose: bool = True,
) -> pathlib.Path:
    """Downloads a file if it is not there yet.

    An interrupted download is resumed if the server supports it, in this call or a later one. Two
    processes that need the same file download it once.

    Args:
        url: address of the file.
        path: destination. A file that is already there is verified and used.
        sha256: hexadecimal digest of the file, or its first digits; None for no check.
        verbose: show the progress on stderr.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        OSError: the file cannot be obtained, or is not the published one; the message says what to
            do. No broken file is left at `path`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        way_out = _ELSEWHERE
        try:
            _check_writable(path.parent)
            way_out = "Call again"
            _bring(url, path, sha256, verbose)
        except (OSError, http.client.HTTPException) as error:
            raise OSError(
                f"{url} could not be downloaded to {path.parent}: {_reason(error)} {way_out}, or "
                f"get the file by other means and save it as {path}."
            ) from error
    elif not has_digest(path, sha256):
        raise OSError(
            f"{path} is not the published file: its SHA-256 does not begin with {sha256}. Remove "
            "it to download it again."
        )
    return path


def _check_writable(folder: pathlib.Path) -> None:
    """Makes a folder if needed; raises OSError if files cannot be written in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}."
    return f"{str(getattr(error, 'reason', None) or error).rstrip('.')}."


def _bring(url: str, path: pathlib.Path, sha256: str | None, verbose: bool) -> None:
    part = path.with_name(f"{path.name}.part")
    with _locked(part) as stream:
        if path.is_file():  # another process has downloaded it meanwhile
            part.unlink()
            return
        for attempt in range(_ATTEMPTS):
            try:
                _receive(url, stream, path.name, verbose)
                break
            except (_Interrupted, TimeoutError, ConnectionError, http.client.HTTPException):
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(attempt)
        if not has_digest(part, sha256):
            part.unlink()
            raise OSError(f"what was received is not the published file (SHA-256 {sha256}...).")
        move_into_place(part, path)


@contextlib.contextmanager
def _locked(part: pathlib.Path) -> Iterator[IO[bytes]]:
    """Opens the file to append to, in this process alone."""
    while True:
        with open(part, "ab") as stream:
            lock_file(stream)
            # The previous owner of the lock may have renamed or removed the file that is open here.
            if part.exists() and os.path.samestat(os.fstat(stream.fileno()), part.stat()):
                yield stream
                return


def _receive(url: str, stream: IO[bytes], name: str, verbose: bool) -> None:
    """Appends the missing part of a file."""
    have = stream.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not have:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # nothing was missing
        stream.truncate(0)
        raise _Interrupted("the partial file did not match.") from error
    with answer:
        if answer.status != 206:  # the whole file: this server does not resume
            stream.truncate(0)
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        _copy(answer, stream, have, total, name, verbose)


def _copy(
    answer: Any, stream: IO[bytes], have: int, total: int | None, name: str, verbose: bool
) -> None:
    for block in iter(lambda: answer.read(_BLOCK), b""):
        stream.write(block)
        have += len(block)
        _show(name, have, total, verbose)
    stream.flush()
    _show(name, have, total, verbose, end="\n")
    if total is not None and have < total:
        raise _Interrupted(f"the connection ended after {have} of {total} bytes.")


def _show(name: str, have: int, total: int | None, verbose: bool, end: str = "") -> None:
    if not verbose:
        return
    share = "" if total is None else f"{min(have / max(total, 1), 1):4.0%} of {total / 1e6:.1f}"
    share = share or f"{have / 1e6:.1f}"
    print(f"\r{name}: {share} MB", end=end, file=sys.stderr, flush=True)


def has_digest(path: pathlib.Path, sha256: str | None) -> bool:
    """Whether a file has a SHA-256, given whole or by its first digits; True for None."""
    if sha256 is None:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().startswith(sha256.lower())
