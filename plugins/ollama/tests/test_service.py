"""`ollama serve` as a service, with a program of that name that answers as Ollama does."""

from __future__ import annotations

import socket
import sys

import pytest
from llamafarm import Call
from llamafarm.errors import ServiceError
from llamafarm.providers.base import ignore_progress
from llamafarm_kit.testing import ScriptedUpstream, answering
from llamafarm_ollama import service
from llamafarm_ollama.config import OllamaEntry, endpoint
from llamafarm_ollama.provider import OllamaProvider
from ollama_asking import HELLO

pytestmark = pytest.mark.anyio
PROGRAM = f"""#!{sys.executable}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

assert sys.argv[1:] == ["serve"], sys.argv
if os.environ.get("BROKEN"):
    sys.exit("Error: could not create the folder of models")

class Ollama(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({{"version": "0.33.0"}})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer({{"message": {{"role": "assistant", "content": "Hello"}}, "done": True, "done_reason": "stop"}})

    def answer(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
HTTPServer((host.strip("[]"), int(port)), Ollama).serve_forever()
"""


def entry(port: int, **fields) -> OllamaEntry:
    address = {"base_url": f"http://127.0.0.1:{port}"}
    return OllamaEntry(**{"name": "local", "provider": "ollama", "model": "tiny", **address, **fields})


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def environ(tmp_path):
    """An environment in which a program `ollama` is installed."""
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return {"PATH": str(program.parent), "LF_DATA_DIR": str(tmp_path / "data")}


async def test_it_starts_the_installed_program_where_the_entry_says_and_ends_it(environ, port):
    found = service.service_of(entry(port), environ)
    assert found.name == f"ollama:{port}"
    try:
        started = await found.ensure(ignore_progress)
        status = await found.status()
        assert (started.state, status.state, status.version) == ("running", "running", "0.33.0")
        again = await service.service_of(entry(port, base_url=f"http://localhost:{port}/v1"), environ).ensure(
            ignore_progress
        )
        assert again.pid == started.pid
        provider = OllamaProvider(endpoint(entry(port)))
        reply = await provider.chat({"messages": HELLO}, Call(entry(port), "request-1"))
        assert (await reply.completion())["choices"][0]["message"]["content"] == "Hello"
        await provider.aclose()
    finally:
        assert await found.stop() is True
    assert (await found.status()).state == "stopped"


async def test_a_program_that_does_not_start_shows_the_end_of_its_log(environ, port):
    with pytest.raises(ServiceError, match="could not create the folder of models"):
        await service.service_of(entry(port), {**environ, "BROKEN": "1"}).ensure(ignore_progress)


def test_the_default_address_has_the_plain_name(environ):
    assert service.service_of(entry(11434), environ).name == "ollama"
    assert service.service_of(entry(0, base_url=None), {**environ, "OLLAMA_HOST": "0.0.0.0"}).name == "ollama"


@pytest.mark.parametrize("url", ["http://gpu-box:11434", "https://127.0.0.1:11434", "http://127.0.0.1:11434/proxied"])
def test_only_plain_addresses_of_this_machine_have_a_service(environ, url):
    assert service.service_of(entry(0, base_url=url), environ) is None


async def test_where_ollama_is_not_installed_its_start_says_so_and_requests_are_simply_sent(environ, port, tmp_path):
    found = service.service_of(entry(port), {**environ, "PATH": str(tmp_path)})
    assert (await found.ensure(ignore_progress)).state == "foreign"
    with pytest.raises(ServiceError, match="Ollama is not installed here") as caught:
        await found.start(ignore_progress)
    assert (await found.status()).obstacle == str(caught.value)


async def test_a_server_in_a_container_is_found_where_ollama_is_not_installed(environ, tmp_path):
    async with ScriptedUpstream(answering({"version": "0.33.0"})) as container:
        found = service.service_of(entry(container.port), {**environ, "PATH": str(tmp_path)})
        assert (await found.start(ignore_progress)).state == "foreign"
        assert (await found.status()).state == "foreign"
