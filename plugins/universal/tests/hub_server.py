"""A stand-in for the Hugging Face hub on a real socket.

It answers what huggingface_hub 2.4 asks: the model with its files, the tree of a revision, HEAD and GET of a file.
Weights are large files as on the real hub: named by their SHA-256, kept elsewhere, reached by a redirection, and sent
from any byte on.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

COMMIT = "a" * 40


class Hub(ThreadingHTTPServer):
    """Serves folders as models.

    refusals: by model, status and error code to answer with. asked: every path asked for. ranges: for each large file,
    the Range of every GET. cuts: how many more times a file is cut off in its middle. held: files that hardly go on
    from their middle; `holding` is set then, and `release` lets them go on. closed: set when a client left such a file.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models: dict[str, Path] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.ranges: dict[str, list[str | None]] = {}
        self.cuts: dict[str, int] = {}
        self.held: set[str] = set()
        self.holding = threading.Event()
        self.release = threading.Event()
        self.closed = threading.Event()
        self.damaged: set[str] = set()
        self.ending = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self, model: str) -> dict[str, bytes]:
        folder = self.models[model]
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def running_hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ending = True
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Not on the terminal."""

    def _answer(self, *, send_body: bool) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        self.server.tokens.add(self.headers.get("Authorization", ""))
        model = "/".join(re.sub("^/(api/models|cdn)", "", path).strip("/").split("/")[:2])
        if model in self.server.refusals:
            status, code = self.server.refusals[model]
            self._send(status, b"{}", {"X-Error-Code": code} if code else {}, send_body)
        elif model not in self.server.models:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"}, send_body)
        elif path.startswith("/api/models/"):
            self._send(200, self._api(model, path), {"Content-Type": "application/json"}, send_body)
        elif path.startswith("/cdn/"):
            self._large(path.removeprefix(f"/cdn/{model}/"), model)
        else:
            self._file(model, path, send_body)

    def _api(self, model: str, path: str) -> bytes:
        files = self.server.files(model)
        if "/tree/" in path:
            return json.dumps([_entry(name, data) for name, data in files.items()]).encode()
        siblings = [{"rfilename": name, **_about(name, data)} for name, data in files.items()]
        return json.dumps({"id": model, "sha": COMMIT, "siblings": siblings}).encode()

    def _file(self, model: str, path: str, send_body: bool) -> None:
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        data = self.server.files(model).get(name)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, send_body)
        elif _is_large(name):
            linked = {"X-Linked-ETag": f'"{_sha256(data)}"', "X-Linked-Size": str(len(data))}
            to = {
                "Location": f"http://localhost:{self.server.server_address[1]}/cdn/{quote(model)}/{quote(name)}",
                "X-Repo-Commit": COMMIT,
            }
            self._send(302, b"", {**linked, **to}, send_body)
        else:
            headers = {"ETag": f'"{_sha1(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            self._send(200, data, headers, send_body)

    def _large(self, name: str, model: str) -> None:
        data = self.server.files(model)[name]
        wanted = self.headers.get("Range")
        self.server.ranges.setdefault(name, []).append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if name in self.server.damaged:
            data = bytes(len(data))
        middle = len(data) // 2
        if self.server.cuts.get(name):
            self.server.cuts[name] -= 1
            self.wfile.write(data[start:middle])
            self.close_connection = True
        elif name in self.server.held:
            self.wfile.write(data[start:middle])
            self.server.holding.set()
            self._drip(data[max(start, middle) :])
        else:
            self.wfile.write(data[start:])

    def _drip(self, data: bytes) -> None:
        """Send byte after byte until the file may go on, or the client has closed the connection."""
        sent = 0
        try:
            while not self.server.release.wait(0.01):
                self.wfile.write(data[sent : sent + 1])
                sent += 1
        except OSError:
            self.server.closed.set()
            self.close_connection = True
        else:
            self.server.release.clear()
            self.wfile.write(b"" if self.server.ending else data[sent:])

    def _send(self, status: int, body: bytes, headers: dict[str, str], send_body: bool) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if send_body:
            self.wfile.write(body)


def _is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def _about(name: str, data: bytes) -> dict[str, Any]:
    about = {"size": len(data), "blobId": _sha1(data)}
    return (
        {**about, "lfs": {"size": len(data), "sha256": _sha256(data), "pointerSize": 134}} if _is_large(name) else about
    )


def _entry(name: str, data: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": name, "size": len(data), "oid": _sha1(data)}
    return {**entry, "lfs": {"size": len(data), "oid": _sha256(data), "pointerSize": 134}} if _is_large(name) else entry


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
