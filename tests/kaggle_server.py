"""A server on this machine with the endpoints of Kaggle Models that its client calls for us."""

import contextlib
import http.server
import json
import threading

VERSION = 3


class KaggleServer(http.server.ThreadingHTTPServer):
    """Variations in memory.

    Attributes:
        variations: from "owner/model/variation" to a dict from a file's path to its bytes.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.variations = {}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = "/".join(order[key] for key in ("ownerSlug", "modelSlug", "instanceSlug"))
        files = self.server.variations.get(name)
        if files is None:
            self._answer(404, b"{}", "application/json")
        elif self.path.endswith("/GetModelInstance"):
            content = json.dumps({"versionNumber": VERSION}).encode()
            self._answer(200, content, "application/json")
        elif (content := files.get(order["path"])) is None:
            self._answer(404, b"{}", "application/json")
        else:
            self._answer(200, content, "application/octet-stream")

    def _answer(self, status, content, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving_kaggle(monkeypatch, cache):
    """A running `KaggleServer` that the client of this process uses, with its cache in a folder."""
    from kagglesdk import kaggle_env

    server = KaggleServer()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, url)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(cache))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
