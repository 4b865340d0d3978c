"""A small stand-in for the model hub: what a download asks, on 127.0.0.1."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMITS = {"main": "a" * 40, "v1": "b" * 40}


class HubServer:
    """Files by (repository, revision); requests as they came; refusals by repository."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.refused: dict[str, tuple[int, str]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.endpoint = ""

    def paths(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "GET"]

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(hub) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.requests.append((self.command, path, self.headers.get("Authorization")))
                status, headers, body = hub.reply(path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        return Handler

    def reply(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = path.strip("/").split("/")
        if parts == [""]:
            return 200, {}, b""
        if parts[:2] == ["api", "models"]:
            return self._api("/".join(parts[2:4]), parts[4], parts[5])
        return self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _api(self, repository: str, what: str, revision: str) -> tuple[int, dict[str, str], bytes]:
        if repository in self.refused:
            status, code = self.refused[repository]
            return status, {"X-Error-Code": code}, b""
        if not any(name == repository for name, _ in self.files):
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        found = self._found(repository, revision)
        if found is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        commit, files = found
        if what == "revision":
            answer: object = {"id": repository, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        else:
            answer = [{"type": "file", "path": n, "size": len(b), "oid": _digest(b)} for n, b in files.items()]
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def _file(self, repository: str, revision: str, name: str) -> tuple[int, dict[str, str], bytes]:
        found = self._found(repository, revision)
        if found is None or name not in found[1]:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        commit, files = found
        return 200, {"ETag": f'"{_digest(files[name])}"', "X-Repo-Commit": commit}, files[name]

    def _found(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        for (name, known), files in self.files.items():
            if name == repository and revision in (known, COMMITS[known]):
                return COMMITS[known], files
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
