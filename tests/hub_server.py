"""A server on this machine with the endpoints of Hugging Face that its client calls for us."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(http.server.ThreadingHTTPServer):
    """Repositories in memory.

    Attributes:
        repositories: from "user/repo" to a dict from a file's path to its bytes.
        asked: the method and path of every request.
        refusals: from the path of a POST request to the status that refuses it.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.asked, self.refusals = {}, [], {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._resolve()

    def do_GET(self):
        self._resolve()

    def do_POST(self):
        self.server.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        url, repositories = self.server.url, self.server.repositories
        if self.path in self.server.refusals:
            self._refuse("", self.server.refusals[self.path])
        elif self.path == "/api/repos/create":
            order = json.loads(body)
            name = f"{order['organization']}/{order['name']}"
            repositories.setdefault(name, {})
            self._answer({"url": f"{url}/{name}", "private": order.get("private")})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in files
            ]
            self._answer({"files": modes})
        elif self.path.endswith("/commit/main"):
            name = self.path.removeprefix("/api/models/").removesuffix("/commit/main")
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    repositories[name][line["value"]["path"]] = content
            self._answer({"commitUrl": f"{url}/{name}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self._refuse("EntryNotFound")

    def _resolve(self):
        """USER/REPO/resolve/REVISION/FILE."""
        self.server.asked.append(f"{self.command} {self.path}")
        name, _, rest = self.path.lstrip("/").partition("/resolve/")
        files = self.server.repositories.get(name)
        if files is None:
            self._refuse("RepoNotFound")
            return
        content = files.get(rest.partition("/")[2])
        if content is None:
            self._refuse("EntryNotFound")
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _answer(self, tree):
        content = json.dumps(tree).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, code, status=404):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving_hub(monkeypatch, cache):
    """A running `HubServer` that the client of this process uses, with its cache in a folder."""
    from huggingface_hub import constants

    server = HubServer()
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
