"""Whatever is sent as a picture, a sound or a film is decoded or refused with a reason, and the next one is decoded."""

from __future__ import annotations

import random

import fuzz
import httpx
import pytest
import samples
from fuzz import Case, cases
from llamafarm.web import Guard, Server, json_answer
from llamafarm_kit.testing.served import served
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.decoder import Decoder
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.media.form import FormLimits, SpooledForm
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.server.upload import Upload, UploadEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

SEED, COUNT = 11, 120
CASES = list(cases(SEED, COUNT))


def outcome(case: Case, decoder: Decoder, folder: SpoolFolder) -> str | None:
    """None for what was decoded, else the reason why it was not."""
    try:
        decoded = getattr(decoder, case.kind)(samples.blob(case.content), folder)
        assert decoded.array().nbytes == decoded.path.stat().st_size
        return None
    except RequestFailed as refusal:
        assert refusal.kind in ("invalid_request", "too_large"), f"{case.name}: {refusal}"
        assert "0x" not in refusal.message
        return refusal.message


def test_every_case_ends_with_a_value_or_a_reason_and_the_next_works(spool, decoder):
    refused = 0
    for number, case in enumerate(CASES):
        with spool.request(f"req_{number}") as folder:
            reason = outcome(case, decoder, folder)
            assert reason or not case.must_fail, case.name
            assert reason is None or "crashed" not in reason, case.name
            refused += reason is not None
            if number % 10 == 0:
                assert decoder.picture(samples.blob(samples.picture()), folder).width == 4
                assert decoder.sound(samples.blob(samples.wav(0.1)), folder).samples == 1600
    assert COUNT // 2 < refused < COUNT
    assert list(spool.path.iterdir()) == []


@pytest.fixture
def http(spool, decoder):
    """A client of a server that takes a file and decodes it."""

    async def decode(request: Request, upload: Upload) -> Response:
        [(kind, file)] = upload.parts
        found = await in_thread(getattr(decoder, kind), file.blob, upload.folder, param=kind)
        return json_answer({"bytes": found.path.stat().st_size})

    routes = [Route("/", UploadEndpoint(decode, spool, FormLimits(2**20)), methods=["POST"])]
    server = Server(Guard(Router(routes)), grace=1, announce=lambda _: None)
    with served(server) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_a_server_answers_each_with_what_was_decoded_or_a_proper_error(http):
    good = {"picture": ("a.png", samples.picture())}
    for number, case in enumerate(CASES[::2]):
        answer = http.post("/", files={case.kind: ("a", case.content)})
        assert answer.status_code in ((400, 413) if case.must_fail else (200, 400, 413)), f"{case.name}: {answer.text}"
        if answer.status_code != 200:
            error = answer.json()["error"]
            assert error["type"] == "invalid_request_error"
            assert error["param"] == case.kind or error["code"] == "request_too_large"
        if number % 10 == 0:
            assert http.post("/", files=good).json() == {"bytes": 36}


BOUNDARY = b"lf"
FORM = b"\r\n".join([
    b"--lf",
    b'Content-Disposition: form-data; name="model"',
    b"",
    b"tiny",
    b"--lf",
    b'Content-Disposition: form-data; name="file"; filename="a.png"',
    b"Content-Type: image/png",
    b"",
    samples.picture("PNG", 40, 30),
    b"--lf--",
    b"",
])  # fmt: skip


@pytest.mark.parametrize("mutate", ["cut", "flip", "scramble_head", "splice", "noise"])
def test_every_form_is_read_or_refused(spool, mutate):
    chance = random.Random(SEED)
    for number in range(40):
        with spool.request(f"req_{number}") as folder:
            body = getattr(fuzz, mutate)(FORM, chance)
            form = None
            try:
                form = SpooledForm(BOUNDARY, folder, FormLimits(10_000))
                while body:
                    form.feed(body[: (size := chance.randint(1, 50))])
                    body = body[size:]
                assert all(isinstance(name, str) for name, _ in form.finish())
            except RequestFailed as refusal:
                assert refusal.kind in ("invalid_request", "too_large")
            finally:
                if form is not None:
                    form.close()
