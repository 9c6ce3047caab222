"""Files of requests are written down as they come, and go with the request, however it ends."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
import samples
from llamafarm.web import Guard, Server, json_answer
from llamafarm_kit.testing.served import served
from llamafarm_universal.media.form import FormLimits
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.server.blobs import blob_answer
from llamafarm_universal.server.upload import UploadEndpoint
from starlette.routing import Route, Router

BOUND = 20.0
MB = 2**20
BOUNDARY = "lf-boundary"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def wait_until(condition, what: str) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"not within {BOUND:g} s: {what}"
        time.sleep(0.005)


class Site:
    """A server with some routes that take files. arrived, go_on: for who waits inside its handler."""

    def __init__(self, spool: Spool, limits: FormLimits) -> None:
        self.spool = spool
        self.arrived, self.go_on = threading.Event(), threading.Event()
        takes = {
            "/v1/audio/transcriptions": self.transcribe,
            "/v1/images/edits": self.list_parts,
            "/wait": self.wait,
            "/back": self.send_back,
            "/fail": self.fail,
        }
        routes = [
            Route(path, UploadEndpoint(handler, spool, limits), methods=["POST"]) for path, handler in takes.items()
        ]
        self.server = Server(Guard(Router(routes, redirect_slashes=False)), grace=1, announce=lambda url: None)

    def is_empty(self) -> None:
        """What belonged to requests has gone with them; answers come a moment before."""
        wait_until(lambda: self.files == [], "nothing is left")

    @property
    def files(self) -> list[str]:
        """What lies in the spool."""
        walked = os.walk(self.spool.path)  # what goes meanwhile is left out
        return [name for _, folders, files in walked for name in (*folders, *files)]

    async def transcribe(self, request, upload):
        [file] = [part for name, part in upload.parts if name == "file"]
        return json_answer({"text": f"{file.name} {file.blob.media_type} {file.blob.size}"})

    async def list_parts(self, request, upload):
        def shown(part):
            if isinstance(part, str):
                return part
            content = part.blob.read()
            return [part.name, part.blob.media_type, hashlib.sha256(content).hexdigest(), part.blob.path is not None]

        return json_answer([[name, shown(part)] for name, part in upload.parts])

    async def wait(self, request, upload):
        self.arrived.set()
        await asyncio.sleep(BOUND)

    async def send_back(self, request, upload):
        [(_, file)] = upload.parts
        return blob_answer(upload.folder.keep(file.blob.read(), "image/png"))

    async def fail(self, request, upload):
        raise RuntimeError("on purpose")


@contextmanager
def serving(folder: Path, limits: FormLimits | None = None, **settings: int) -> Iterator[Site]:
    """A server with limits of its own, and a client of it."""
    spool = Spool.open(folder, MediaSettings(**settings))
    running = Site(spool, limits or FormLimits(4 * MB, "UNIVERSAL_RUNTIME_MAX_SOUND_MB", files=3))
    with served(running.server) as url, httpx.Client(base_url=url, timeout=BOUND) as http:
        running.url, running.http = url, http
        yield running
    spool.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("spools")) as running:
        yield running


@pytest.fixture
def site(shared):
    """One server for all tests that leave it running."""
    shared.arrived.clear()
    return shared


def form(content: bytes = b"x", name: str = "file", *, end: bool = True) -> bytes:
    """A form of one file, written by hand."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'
    return head.encode() + content + (f"\r\n--{BOUNDARY}--\r\n".encode() if end else b"")


def error(answer: httpx.Response) -> dict:
    return answer.json()["error"]


def client(site) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{site.url}/v1", api_key="none", max_retries=0, timeout=BOUND)


def test_the_official_client_uploads_a_sound(site):
    sound = samples.wav(60.0)
    with client(site) as ai:
        answer = ai.audio.transcriptions.create(model="tiny", file=("talk.mp3", sound))
    assert answer.text == f"talk.mp3 audio/wav {len(sound)}"
    site.is_empty()


def test_the_official_client_is_told_of_a_file_that_is_too_large(site):
    with client(site) as ai, pytest.raises(openai.APIStatusError) as failed:
        ai.audio.transcriptions.create(model="tiny", file=("talk.wav", io.BytesIO(bytes(40 * MB))))
    assert failed.value.status_code == 413
    site.is_empty()


def test_texts_and_files_come_in_their_order_with_every_byte(site):
    small, large = samples.picture(), samples.wav(60.0)
    parts = [
        ("model", (None, "ü")),
        ("image[]", ("a.gif", small, "image/gif")),
        ("image[]", ("b", large, "text/plain")),
        ("n", (None, "2")),
    ]
    assert site.http.post("/v1/images/edits", files=parts).json() == [
        ["model", "ü"],
        ["image[]", ["a.gif", "image/png", hashlib.sha256(small).hexdigest(), False]],
        ["image[]", ["b", "audio/wav", hashlib.sha256(large).hexdigest(), True]],
        ["n", "2"],
    ]
    site.is_empty()


def test_many_at_once_are_kept_apart(site):
    def ask(index: int) -> None:
        content = bytes([index]) * (MB + index)
        [[_, [_, _, found, _]]] = httpx.post(
            f"{site.url}/v1/images/edits", files={"file": ("a", content)}, timeout=BOUND
        ).json()
        results[index] = found == hashlib.sha256(content).hexdigest()

    results: dict[int, bool] = {}
    threads = [threading.Thread(target=ask, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(8), True)
    site.is_empty()


def test_a_file_may_have_just_as_many_bytes_as_it_may(site):
    assert site.http.post("/v1/images/edits", files={"file": bytes(4 * MB)}).status_code == 200
    refused = site.http.post("/v1/images/edits", files={"file": bytes(4 * MB + 1)})
    assert refused.status_code == 413
    assert error(refused)["param"] == "file"
    assert "larger than 4,194,304 bytes" in error(refused)["message"]
    assert "UNIVERSAL_RUNTIME_MAX_SOUND_MB" in error(refused)["message"]
    site.is_empty()


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [({"request_bytes": MB}, 413, "request_too_large"), ({"spool_bytes": MB}, 507, "out_of_space")],
)
def test_the_spool_has_limits_too(tmp_path, settings, status, code):
    with serving(tmp_path, **settings) as site:
        refused = site.http.post("/v1/images/edits", files={"file": bytes(2 * MB)})
        assert (refused.status_code, error(refused)["code"]) == (status, code)
        site.is_empty()
        assert site.http.post("/v1/images/edits", files={"file": bytes(MB // 2)}).status_code == 200


def test_the_limits_of_an_operation_are_those_of_its_kind():
    settings = MediaSettings(picture_bytes=MB)
    assert FormLimits.of("picture", settings, files=16) == FormLimits(MB, "UNIVERSAL_RUNTIME_MAX_PICTURE_MB", 16)
    assert FormLimits.of("sound", settings).file_bytes == 25 * MB


def test_too_many_files_or_texts_are_refused(site):
    many = site.http.post("/v1/images/edits", files=[("image[]", b"x")] * 4)
    assert (many.status_code, error(many)["message"]) == (400, "The form holds more than 3 files.")
    long = site.http.post("/v1/images/edits", files={"prompt": (None, bytes(MB + 1))})
    assert (long.status_code, error(long)["code"]) == (413, "request_too_large")
    texts = site.http.post("/v1/images/edits", files=[("n", (None, "1"))] * 200)
    assert texts.status_code == 400


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "breaks off"),
        (form(end=False), "breaks off"),
        (form(bytes(MB), end=False), "breaks off"),
        (b"no form at all", "is not a form"),
        (form(name=""), "A part has no name"),
        (form().replace(b"form-data; ", b""), "A part has no name"),
        (form(name="ü").replace("ü".encode(), b"\xff"), "not UTF-8"),
        (form().replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 99_999 + b"\r\n\r\n"), "is not a form"),
    ],
)
def test_what_is_no_form_is_refused_and_leaves_nothing(site, body, reason):
    refused = site.http.post("/v1/images/edits", content=body, headers=FORM)
    assert refused.status_code == 400
    assert reason in error(refused)["message"]
    site.is_empty()


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json", 415), ("multipart/form-data", 400), ("multipart/form-data; boundary=", 400)],
)
def test_other_types_are_refused(site, kind, status):
    assert site.http.post("/v1/images/edits", content=form(), headers={"content-type": kind}).status_code == status


def test_a_form_may_come_byte_for_byte(site):
    body = form(samples.picture())
    pieces = (body[at : at + 1] for at in range(len(body)))
    found = site.http.post("/v1/images/edits", content=pieces, headers=FORM).json()
    assert found == [["file", ["a.png", "image/png", hashlib.sha256(samples.picture()).hexdigest(), False]]]


def connect(site, path: str, body: bytes, length: int) -> socket.socket:
    """A client that has sent a part of its request."""
    connection = socket.create_connection(site.server.servers[0].sockets[0].getsockname())
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\ncontent-type: {FORM['content-type']}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def test_a_client_that_goes_away_while_it_sends_leaves_nothing(site):
    body = form(bytes(3 * MB))
    with connect(site, "/wait", body[: 2 * MB], len(body)):
        wait_until(lambda: len(site.files) == 2, "a file is written")
    site.is_empty()
    assert not site.arrived.is_set()


def test_a_client_that_goes_away_while_it_waits_leaves_nothing(site):
    body = form(bytes(3 * MB))
    with connect(site, "/wait", body, len(body)):
        assert site.arrived.wait(BOUND)
        assert len(site.files) == 2  # the request's folder and its file
    site.is_empty()


def test_a_handler_that_fails_leaves_nothing(site, caplog):
    assert site.http.post("/fail", files={"file": bytes(MB)}).status_code == 500
    site.is_empty()


@pytest.mark.parametrize("size", [10, 2 * MB])
def test_a_result_leaves_whole_and_is_removed_once_it_has_left(site, size):
    content = bytes(range(256)) * (size // 256 + 1)
    answer = site.http.post("/back", files={"file": content})
    assert (answer.content, answer.headers["content-type"]) == (content, "image/png")
    site.is_empty()


def test_a_client_that_stops_reading_a_result_leaves_nothing(site):
    with site.http.stream("POST", "/back", files={"file": bytes(4 * MB)}) as answer:
        next(answer.iter_raw())
    site.is_empty()


def test_the_end_of_the_server_ends_uploads_and_leaves_nothing(tmp_path):
    body = form(bytes(3 * MB))
    with serving(tmp_path) as site, connect(site, "/wait", body, len(body)):
        assert site.arrived.wait(BOUND)
        site.server.should_exit = True
        site.is_empty()
