"""The service with a program of Lemonade's command line: started once, its model loaded, used, stopped."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sys
from pathlib import Path

import pytest
from lemonade_asking import MESSAGES
from lemonade_server import MODEL, LemonadeServer
from llamafarm.errors import ServiceError
from llamafarm.providers.base import Call, Progress, ignore_progress
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_lemonade.config import LemonadeEntry, endpoint
from llamafarm_lemonade.provider import LemonadeProvider
from llamafarm_lemonade.service import LemonadeService, is_lemonade, server_config, service_of, write_config

PROGRAM = Path(__file__).with_name("lemond.py")


class Farm:
    """An environment of its own, with `lemond` on its PATH and a free port."""

    def __init__(self, folder: Path) -> None:
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "lemond"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(PROGRAM))} "$@"\n')
        program.chmod(0o755)
        self.environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LF_DATA_DIR": str(folder / "data")}
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self.config = folder / "data" / "lemonade" / str(self.port) / "config.json"

    def entry(self, **block) -> LemonadeEntry:
        block = {"port": self.port, **block}
        return LemonadeEntry(name="e", provider="lemonade", model=MODEL, lemonade=block)

    def service(self, environ: dict[str, str] | None = None, **block) -> LemonadeService:
        found = service_of(self.entry(**block), {**self.environ, **(environ or {})})
        assert found is not None
        return found


@pytest.fixture
async def farm(tmp_path):
    farm = Farm(tmp_path)
    yield farm
    await farm.service().stop()


@pytest.mark.anyio
async def test_it_is_started_with_its_model_loaded_used_and_stopped(farm):
    told: list[Progress] = []
    status = await farm.service(context_size=1024, backend="cpu").start(told.append)
    assert (status.state, status.name) == ("running", f"lemonade:{farm.port}")
    assert [progress.stage for progress in told] == ["starting", "loading", "ready"]
    assert json.loads(farm.config.read_text()) == {"ctx_size": 1024, "llamacpp": {"backend": "cpu"}}

    provider = LemonadeProvider(endpoint(farm.entry()))
    try:
        assert (await provider.describe(MODEL)).context_length == 1024
        reply = await provider.chat({"messages": MESSAGES}, Call(farm.entry(), "r"))
        assert (await reply.completion())["choices"][0]["message"]["content"]
    finally:
        await provider.aclose()

    again = await farm.service().status()
    assert (again.pid, again.version, again.state) == (status.pid, "11.7.0", "running")
    assert await farm.service().stop() is True
    assert (await farm.service().status()).state == "stopped"
    assert await farm.service().stop() is False


@pytest.mark.anyio
async def test_first_use_starts_the_server_and_leaves_the_model_to_the_request(farm):
    told: list[Progress] = []
    first = await farm.service().ensure(told.append)
    assert [progress.stage for progress in told] == ["starting"]
    assert (await farm.service().ensure(ignore_progress)).pid == first.pid


@pytest.mark.anyio
async def test_after_a_kill_the_next_use_starts_another(farm):
    first = await farm.service().ensure(ignore_progress)
    os.kill(first.pid, signal.SIGKILL)
    second = await farm.service().ensure(ignore_progress)
    assert second.state == "running" and second.pid != first.pid


@pytest.mark.anyio
async def test_the_environment_chooses_model_and_port(farm):
    told: list[Progress] = []
    environ = {"LEMONADE_PORT": str(farm.port), "LEMONADE_MODEL": "Other"}
    service = farm.service(environ, context_size=512)
    assert service.name == "lemonade"
    await service.start(told.append)
    assert [progress.text for progress in told][1:] == [
        *["Downloading Other"] * 3,
        "Loading Other",
        "Other is loaded",
    ]
    assert (await farm.service().status()).state == "running"


@pytest.mark.anyio
async def test_a_key_is_given_to_the_server_that_is_started(farm):
    environ = {"LEMONADE_API_KEY": "sk-own"}
    status = await farm.service(environ).start(ignore_progress)
    assert status.state == "running"
    assert (await farm.service(environ).status()).version == "11.7.0"
    assert (await farm.service({"LEMONADE_API_KEY": ""}).status()).version is None


@pytest.mark.anyio
async def test_a_cache_directory_of_the_environment_is_shared_and_the_configuration_is_not(farm, tmp_path):
    status = await farm.service({"LEMONADE_CACHE_DIR": str(tmp_path / "cache")}).ensure(ignore_progress)
    assert '"folders": 2' in status.log.read_text()
    assert farm.config.exists()


@pytest.mark.anyio
async def test_one_that_ends_at_once_shows_why(farm):
    with pytest.raises(ServiceError, match="no backend for that"):
        await farm.service(context_size=13).ensure(ignore_progress)


@pytest.mark.anyio
async def test_a_server_of_the_user_is_used_loaded_and_never_stopped(farm):
    server = LemonadeServer()
    async with ScriptedUpstream(server) as upstream:
        farm.port = upstream.port
        status = await farm.service(context_size=1024).start(ignore_progress)
        assert status.state == "foreign"
        assert server.loaded[MODEL] == {"ctx_size": 1024}
        assert (await farm.service().status()).version == "11.7.0"
        with pytest.raises(ServiceError, match="was not started by LlamaFarm"):
            await farm.service().stop()
    assert not farm.config.exists()


@pytest.mark.anyio
async def test_where_lemonade_is_not_installed_the_error_says_where_it_is_to_be_had(farm):
    with pytest.raises(ServiceError, match="no program 'lemond' on the PATH") as caught:
        await farm.service({"PATH": "/nowhere"}).ensure(ignore_progress)
    assert "lemonade-server.ai" in str(caught.value)


def test_it_is_named_by_its_port_where_that_is_not_the_one_that_the_environment_says():
    def name(environ, **block):
        return service_of(LemonadeEntry(name="e", provider="lemonade", model="m", lemonade=block), environ).name

    assert name({}) == "lemonade"
    assert name({}, port=11535) == "lemonade:11535"
    assert name({"LEMONADE_PORT": "11535"}, port=11535) == "lemonade"
    assert name({"LEMONADE_PORT": "11535"}, port=13305) == "lemonade:13305"


@pytest.mark.parametrize("base_url", ["http://192.0.2.1:13305", "https://127.0.0.1:13305", "http://lemonade.example"])
def test_an_address_elsewhere_has_no_service(base_url):
    assert service_of(LemonadeEntry(name="e", provider="lemonade", model="m", base_url=base_url), {}) is None


def test_what_is_alive_but_says_something_else_is_not_lemonade():
    assert is_lemonade({"status": "ok"})
    assert not is_lemonade({"status": "ok", "host": "ready"})
    assert not is_lemonade({})


def test_a_configuration_that_was_changed_by_hand_keeps_what_the_entry_does_not_say(tmp_path):
    entry = LemonadeEntry(
        name="e", provider="lemonade", model="m", lemonade={"context_size": 64, "max_loaded_models": 3}
    )
    (tmp_path / "config.json").write_text('{"extra_models_dir": "models", "ctx_size": 1}')
    write_config(tmp_path, entry)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written == {"extra_models_dir": "models", "ctx_size": 64, "max_loaded_models": 3}
    assert server_config(LemonadeEntry(name="e", provider="lemonade", model="m")) == {}
