"""Serves the page in `examples/browser` on this machine:

python -m examples.serve_browser --port 8000
"""

import argparse
import errno
import functools
import http.server
import pathlib
from collections.abc import Sequence

FOLDER = pathlib.Path(__file__).parent / "browser"
HOST = "127.0.0.1"


def server(port: int, folder: pathlib.Path = FOLDER) -> http.server.ThreadingHTTPServer:
    """A server of the files in a folder.

    Args:
        port: 0 for any free one.
        folder: path of the folder.

    Raises:
        OSError: the port is in use or reserved; the message names the option.
    """
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "is in use by another program",
            errno.EACCES: "needs an administrator",
        }
        reason = reasons.get(error.errno or 0, f"cannot be opened ({error.strerror})")
        raise OSError(
            f"Port {port} {reason}: choose another by `--port`, or 0 for any free one."
        ) from error


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.serve_browser", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="0 for any free one (8000)")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"`--port` must be from 0 to 65535, got {options.port}.")
    try:
        serving = server(options.port)
    except OSError as error:
        parser.exit(1, f"error: {error}\n")
    print(f"http://{HOST}:{serving.server_port}, until Ctrl-C", flush=True)
    with serving:
        serving.serve_forever()


if __name__ == "__main__":
    main()
