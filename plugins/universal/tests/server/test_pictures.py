"""Pictures in the JSON of a request: how they may be written, how large they may be, and where they go."""

from __future__ import annotations

import base64
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.media.urls import Fetcher
from llamafarm_universal.server.settings import Settings
from PIL import Image
from runtime_servers import BOUND, Running, ServerProcess, serving, wait_until

MB = 2**20


def picture(kind: str = "PNG", width: int = 24, height: int = 16, seed: int = 0, **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{coded(content)}"


SMALL = picture()


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with limits that are passed in no time."""
    media = MediaSettings(spool=tmp_path_factory.mktemp("spool"), picture_bytes=MB)
    with serving(Settings(options=HostOptions(media=media), max_body_bytes=MB)) as running:
        yield running


def embed(server: Running, inputs: Any, **fields: Any) -> httpx.Response:
    return server.http.post("/v1/embeddings", json={"model": "echo/model", "input": inputs, **fields})


def first_numbers(answer: httpx.Response) -> list[float]:
    """The scripted host tells a picture's bytes as the first number of its vector, else the place of the input."""
    assert answer.status_code == 200, answer.text
    return [row["embedding"][0] for row in answer.json()["data"]]


def spooled(server: Running) -> list[str]:
    return [name for _, folders, files in os.walk(server.runtime.spool.path) for name in (*folders, *files)]


@pytest.mark.parametrize(
    "written",
    [
        {"image": data_url(SMALL)},
        {"image": coded(SMALL)},
        {"image": coded(SMALL), "text": None},
        {"type": "image", "image": data_url(SMALL, "application/octet-stream")},
        {"type": "image_url", "image_url": {"url": data_url(SMALL)}},
        {"type": "image_url", "image_url": {"url": data_url(SMALL), "detail": "low"}},
        {"type": "image_url", "image_url": data_url(SMALL)},
        {"image_url": {"url": data_url(SMALL)}},
    ],
)
def test_a_picture_may_be_written_as_clients_do(scripted: Running, written: dict[str, Any]) -> None:
    assert first_numbers(embed(scripted, [written])) == [len(SMALL)]
    assert first_numbers(embed(scripted, written)) == [len(SMALL)]


def test_texts_ids_and_pictures_stand_beside_each_other_in_their_order(scripted: Running) -> None:
    other = picture(seed=1)
    inputs = [
        "a",
        {"image": data_url(SMALL)},
        {"text": "b"},
        [5, 6],
        {"type": "text", "text": "c"},
        {"image": coded(other)},
    ]
    assert first_numbers(embed(scripted, inputs)) == [0, len(SMALL), 2, 3, 4, len(other)]


@pytest.mark.parametrize(
    ("written", "param"),
    [
        ({}, "input[1]"),
        ({"image": coded(SMALL), "text": "both"}, "input[1]"),
        ({"image": coded(SMALL), "caption": "x"}, "input[1]"),
        ({"video": "x"}, "input[1]"),
        ({"type": "text", "image": coded(SMALL)}, "input[1]"),
        ({"type": ["image"], "image": coded(SMALL)}, "input[1]"),
        ({"image": ""}, "input[1].image"),
        ({"image": 5}, "input[1].image"),
        ({"text": ""}, "input[1].text"),
        ({"image_url": {}}, "input[1].image_url.url"),
        ({"image_url": [data_url(SMALL)]}, "input[1].image_url"),
        ({"image": "no base64!"}, "input[1]"),
        ({"image": "data:image/png,raw"}, "input[1]"),
        ({"image": "file:///etc/passwd"}, "input[1]"),
    ],
)
def test_a_picture_that_is_written_wrongly_is_named(scripted: Running, written: Any, param: str) -> None:
    answer = embed(scripted, ["a", written])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert spooled(scripted) == []


def test_no_more_pictures_are_taken_than_can_be_decoded_in_time(scripted: Running) -> None:
    answer = embed(scripted, [{"image": coded(SMALL)}] * 129)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")
    assert "at most 128 pictures" in answer.json()["error"]["message"]


def test_where_only_texts_are_read_an_object_is_none(scripted: Running) -> None:
    answer = scripted.http.post("/v1/completions", json={"model": "echo/model", "prompt": [{"image": coded(SMALL)}]})
    assert answer.status_code == 400


def test_what_was_sent_is_gone_with_its_request(scripted: Running) -> None:
    noise = picture(width=700, height=400)
    assert 256 * 1024 < len(noise) < MB
    assert first_numbers(embed(scripted, [{"image": coded(noise)}])) == [len(noise)]
    assert embed(scripted, [{"image": coded(noise)}], model="refuse/not_supported").status_code == 400
    wait_until(lambda: spooled(scripted) == [], "the spool is empty")


def test_what_was_sent_is_gone_with_its_client(scripted: Running) -> None:
    noise = picture(width=700, height=400)
    with pytest.raises(httpx.ReadTimeout):
        body = {"model": "never/accepts", "input": [{"image": coded(noise)}]}
        scripted.http.post("/v1/embeddings", json=body, timeout=httpx.Timeout(BOUND, read=1.0))
    wait_until(lambda: spooled(scripted) == [], "the spool is empty")


def test_a_picture_may_be_as_large_as_the_operator_allows_beside_texts_of_the_usual_size(scripted: Running) -> None:
    largest = picture() + bytes(MB - len(SMALL))
    texts = ["a" * (MB // 2)]
    assert first_numbers(embed(scripted, [*texts, {"image": data_url(largest)}])) == [0, MB]
    answer = embed(scripted, [{"image": data_url(largest + b"0")}])
    assert (answer.status_code, answer.json()["error"]["param"]) == (413, "input[0]")
    answer = embed(scripted, [{"image": data_url(largest)}] * 2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert (
        scripted.http.post(
            "/v1/rerank", content=b" " * (MB + 1), headers={"content-type": "application/json"}
        ).status_code
        == 413
    )


def test_an_address_is_fetched_only_where_the_operator_allows_it(scripted: Running) -> None:
    error = embed(scripted, [{"image": "https://example.com/a.png"}]).json()["error"]
    assert error["param"] == "input[0]"
    assert error["message"].startswith("This server fetches no URLs.\nSend the file itself as a data URL")


@pytest.fixture
def fetching(scripted: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the server fetch, from where `admits` says."""
    allowed = replace(scripted.runtime.settings.options.media, allow_urls=True)

    def allow(admits: Callable[[str], bool] | None = None) -> None:
        more = {} if admits is None else {"admits": admits}
        monkeypatch.setattr(scripted.runtime, "fetcher", Fetcher(allowed, **more))

    return allow


def test_an_address_that_may_be_fetched_is_one_picture_among_others(
    scripted: Running, fetching: Callable[..., None]
) -> None:
    fetching(lambda _: True)
    other = picture("JPEG", seed=1)
    with site({"/a.png": SMALL, "/b.jpg": other}) as url:
        inputs = [{"image": f"{url}/b.jpg"}, "a", {"type": "image_url", "image_url": {"url": f"{url}/a.png"}}]
        assert first_numbers(embed(scripted, inputs)) == [len(other), 1, len(SMALL)]
        error = embed(scripted, [{"image": f"{url}/a.png"}, {"image": f"{url}/none"}]).json()["error"]
        assert (error["param"], error["message"]) == ("input[1]", "The URL cannot be fetched: it answers 404.")


def test_an_address_inside_the_network_is_never_fetched(scripted: Running, fetching: Callable[..., None]) -> None:
    fetching()
    error = embed(scripted, [{"image": "http://127.0.0.1:1/a.png"}]).json()["error"]
    assert "not public" in error["message"]


@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"]
)
@pytest.mark.parametrize("path", ["embeddings", "vision/depth"])
def test_a_redirect_leads_to_no_place_that_is_closed(
    scripted: Running, fetching: Callable[..., None], path: str, to: str
) -> None:
    let_in: list[str] = []
    fetching(lambda address: not let_in and not let_in.append(address))  # the site itself, and nothing that it names
    with site({}, to) as url:
        body = {"model": "echo/model", "input": [{"image": f"{url}/a.png"}]}
        error = scripted.http.post(f"/v1/{path}", json=body).json()["error"]
    assert "not public" in error["message"] or "must begin with http" in error["message"]


@contextmanager
def site(files: dict[str, bytes], to: str | None = None) -> Iterator[str]:
    """A web server with files, by their paths. to: where it sends those who ask for others."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response((302 if to else 404) if content is None else 200)
            if to:
                self.send_header("location", to)
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def ask(real: ServerProcess, models: dict[str, Path]) -> Callable[..., httpx.Response]:
    """Ask a real server process with real models."""

    def asked(*inputs: Any, model: str = "towers", **fields: Any) -> httpx.Response:
        body = {"model": str(models[model]), "input": list(inputs), **fields}
        return httpx.post(f"{real.url}/v1/embeddings", json=body, timeout=BOUND)

    return asked


@pytest.fixture(scope="module")
def expected(models: dict[str, Path]) -> Callable[[bytes], Any]:
    """The library's own vector of a picture."""
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(models["towers"])
    processor = transformers.AutoImageProcessor.from_pretrained(models["towers"])

    def vector(content: bytes) -> Any:
        given = processor(images=Image.open(io.BytesIO(content)).convert("RGB"), return_tensors="pt")
        with torch.no_grad():
            found = model.get_image_features(**given).pooler_output[0].numpy()
        return found / np.linalg.norm(found)

    return vector


def test_pictures_of_every_format_have_the_vectors_of_the_library(
    ask: Callable[..., httpx.Response], expected: Callable[[bytes], Any]
) -> None:
    pictures = [picture("PNG"), picture("JPEG", seed=1), picture("WEBP", 300, 400, seed=2)]
    answer = ask("hello world", *({"image": data_url(each)} for each in pictures), encoding_format="float").json()
    vectors = [row["embedding"] for row in answer["data"]]
    assert np.allclose(vectors[1:], [expected(each) for each in pictures], atol=1e-5)
    assert len({len(vector) for vector in vectors}) == 1
    assert answer["usage"]["prompt_tokens"] > 3 * 4


def test_the_model_says_that_it_reads_pictures(
    real: ServerProcess, models: dict[str, Path], ask: Callable[..., httpx.Response]
) -> None:
    assert ask("hello").status_code == 200
    assert "vision" in real.get(f"/v1/models/{models['towers']}").json()["features"]


def test_twenty_megabytes_are_read_and_one_more_is_too_large(
    ask: Callable[..., httpx.Response], expected: Callable[[bytes], Any]
) -> None:
    large = picture(width=2640, height=2640, compress_level=0)
    assert 19 * MB < len(large) <= 20 * MB
    [row] = ask({"image": data_url(large)}).json()["data"]
    assert np.allclose(row["embedding"], expected(large), atol=1e-5)
    answer = ask({"image": data_url(large + bytes(MB))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (SMALL[:60], 400, "Input 1: The picture is broken"),
        (b"GIF89a", 400, "Input 1: The picture is broken"),
        (b"%PDF-1.7 no picture", 400, "Input 1: The file is no picture"),
        (b"RIFF\0\0\0\0WAVEfmt ", 400, "Input 1: The file is no picture: it is a sound"),
    ],
)
def test_what_is_no_picture_is_refused(
    ask: Callable[..., httpx.Response], content: bytes, status: int, message: str
) -> None:
    answer = ask({"image": coded(SMALL)}, {"image": coded(content)})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"].startswith(message)


def test_a_picture_that_would_become_huge_is_refused(ask: Callable[..., httpx.Response]) -> None:
    file = io.BytesIO()
    Image.new("L", (9000, 9000)).save(file, "PNG")
    assert len(file.getvalue()) < 200_000
    answer = ask({"image": coded(file.getvalue())})
    assert answer.status_code == 413
    assert "9,000 x 9,000 pixels; at most 64,000,000 are decoded" in answer.json()["error"]["message"]


def test_a_model_that_reads_texts_refuses_a_picture(ask: Callable[..., httpx.Response]) -> None:
    answer = ask("hello", {"image": coded(SMALL)}, model="llama")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input")
    assert error["message"].startswith("Input 1 is a picture; this model reads texts only.")
    assert "CLIP" in error["message"]
