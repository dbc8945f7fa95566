"""A real HTTP server on this machine, with typical faults."""

import contextlib
import http.server
import threading


class FileServer(http.server.ThreadingHTTPServer):
    """Serves bytes by path.

    Attributes:
        files: dict from path, such as "/w.npz", to bytes.
        resumes: whether it supports the header Range.
        limits: numbers of bytes after which it ends the next answers, in order.
        ranges: the header Range of every request; None for a request without it.
    """

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.resumes, self.limits, self.ranges = files, True, [], []
        self.pause = threading.Event()
        self.pause.set()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.resumes else 0
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        server.pause.wait(10)
        limit = server.limits.pop(0) if server.limits else len(content)
        self.wfile.write(content[start : start + limit])

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(**files):
    """A running `FileServer`; keyword `w` becomes the path "/w"."""
    server = FileServer({f"/{name}": content for name, content in files.items()})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.pause.set()
        server.shutdown()
        thread.join()
        server.server_close()
