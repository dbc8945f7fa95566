"""Files from the network into a folder on this machine: whole and checked, or not at all."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

from keras_mlp.whole_files import lock_file, move_into_place

_BLOCK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_ATTEMPTS = 3


class _Interrupted(OSError):
    """The connection ended before the file did."""


def cache_folder(cache_dir=None):
    """The folder of downloaded weights: `cache_dir`, $KERAS_MLP_CACHE or ~/.keras/keras_mlp."""
    chosen = cache_dir or os.environ.get("KERAS_MLP_CACHE") or "~/.keras/keras_mlp"
    return pathlib.Path(chosen).expanduser()


def download(url, path, *, sha256=None, verbose=True):
    """Brings a file here unless it is here already.

    A download that was interrupted is resumed where the server lets it, within this call and in a
    later one; two processes that want the same file bring it once.

    Args:
        url: of the file.
        path: where it shall lie. A file that lies there is taken as it is, after the check.
        sha256: hexadecimal digest of the file, or its first digits; None for no check.
        verbose: show the progress on stderr.

    Returns:
        `path`.

    Raises:
        OSError: the file cannot be had or is not the right one; the message says what to do. No
            broken file is left at `path`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _bring(url, path, sha256, verbose)
        except (OSError, http.client.HTTPException) as error:
            raise OSError(
                f"{url} could not be downloaded to {path.parent}: {_reason(error)} Call again, or "
                f"bring the file by other means and save it as {path}."
            ) from error
    elif not _has_digest(path, sha256):
        raise OSError(
            f"{path} is not the published file: its SHA-256 does not begin with {sha256}. Remove "
            "it to download it anew."
        )
    return path


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}."
    return f"{str(getattr(error, 'reason', None) or error).rstrip('.')}."


def _bring(url, path, sha256, verbose):
    part = path.with_name(f"{path.name}.part")
    with _locked(part) as stream:
        if path.is_file():  # another process has brought it meanwhile
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
        if not _has_digest(part, sha256):
            part.unlink()
            raise OSError(f"what came is not the published file (SHA-256 {sha256}...).")
        move_into_place(part, path)


@contextlib.contextmanager
def _locked(part):
    """The file to append to, open in this process alone."""
    while True:
        with open(part, "ab") as stream:
            lock_file(stream)
            # Whoever had the lock before may have renamed or removed what we opened.
            if part.exists() and os.path.samestat(os.fstat(stream.fileno()), part.stat()):
                yield stream
                return


def _receive(url, stream, name, verbose):
    """Appends what is missing of a file."""
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
        raise _Interrupted("what was there did not fit.") from error
    with answer:
        if answer.status != 206:  # the whole file: this server does not resume
            stream.truncate(0)
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        _copy(answer, stream, have, total, name, verbose)


def _copy(answer, stream, have, total, name, verbose):
    for block in iter(lambda: answer.read(_BLOCK), b""):
        stream.write(block)
        have += len(block)
        _show(name, have, total, verbose)
    stream.flush()
    _show(name, have, total, verbose, end="\n")
    if total is not None and have < total:
        raise _Interrupted(f"the connection ended after {have} of {total} bytes.")


def _show(name, have, total, verbose, end=""):
    if not verbose:
        return
    share = "" if total is None else f"{min(have / max(total, 1), 1):4.0%} of {total / 1e6:.1f}"
    share = share or f"{have / 1e6:.1f}"
    print(f"\r{name}: {share} MB", end=end, file=sys.stderr, flush=True)


def _has_digest(path, sha256):
    if sha256 is None:
        return True
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().startswith(sha256.lower())
