"""A service with a real child process: started once, used by all, replaced when it is dead or old, stopped for good."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from llamafarm.errors import AuthenticationFailed, ServiceError
from llamafarm.providers.base import Progress, ignore_progress
from llamafarm.services.probe import probe
from llamafarm.services.process import ProcessService, ProcessSpec
from llamafarm.services.state import ServiceFiles, token_of
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering

pytestmark = pytest.mark.anyio
RUNTIME = Path(__file__).with_name("runtime.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Farm:
    """A data directory of its own, and the services in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.starts = folder / "starts"
        self.environ = {**os.environ, "LF_DATA_DIR": str(folder / "data")}

    def service(self, mode: str = "good", version: str = "1", **more) -> ProcessService:
        arguments = [str(RUNTIME), "--port", str(self.port), "--mode", mode, "--version", version]
        spec = ProcessSpec(
            name=f"tiny:{self.port}",
            title="tiny runtime",
            host=more.pop("host", "127.0.0.1"),
            port=self.port,
            version=version,
            command=lambda: [sys.executable, *arguments, "--starts", str(self.starts)],
            recognises=lambda body: body.get("kind") == "tiny",
            **{"start_seconds": 60.0, **more},
        )
        return ProcessService(spec, self.environ)

    def started(self) -> list[int]:
        """The pids of all processes that were ever started."""
        return [int(line) for line in self.starts.read_text().split()] if self.starts.exists() else []


@pytest.fixture
async def farm(tmp_path):
    farm = Farm(tmp_path)
    yield farm
    await farm.service().stop()
    assert [pid for pid in farm.started() if runs(pid)] == []


def by_hand(*arguments: str) -> subprocess.Popen[bytes]:
    """A process that the service knows nothing of."""
    return subprocess.Popen([sys.executable, *arguments])


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def until_gone(pid: int) -> None:
    for _ in range(400):
        if not runs(pid):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


async def test_what_keeps_it_from_being_started_is_told_with_its_status_and_starts_nothing(farm):
    missing = ServiceError("The tiny runtime is not installed.", hint="Install it.")
    status = await farm.service(obstacle=lambda: missing).status()
    assert (status.state, status.obstacle) == ("stopped", "The tiny runtime is not installed.\nInstall it.")
    assert (await farm.service().status()).obstacle is None
    assert farm.started() == []


async def test_it_is_started_on_first_use_and_used_as_it_is_afterwards(farm):
    told: list[Progress] = []
    first = await farm.service().ensure(told.append)
    again = await farm.service().ensure(told.append)
    assert first.state == again.state == "running"
    assert first.pid == again.pid == farm.started()[0]
    assert [progress.stage for progress in told] == ["starting"]
    assert len(farm.started()) == 1


async def test_who_comes_while_another_starts_it_is_told_and_waits(farm):
    told: list[Progress] = []
    waits = asyncio.Event()

    def tell(progress: Progress) -> None:
        told.append(progress)
        waits.set()

    with ServiceFiles(f"tiny:{farm.port}", farm.folder / "data").lock():
        second = asyncio.create_task(farm.service().ensure(tell))
        await waits.wait()
        assert farm.started() == []
    assert (await second).state == "running"
    assert [progress.text for progress in told] == [
        "Waiting for the tiny runtime, which is being started",
        f"Starting the tiny runtime at http://127.0.0.1:{farm.port}",
    ]


async def test_its_state_says_what_is_there(farm):
    service = farm.service(version="7")
    assert (await service.status()).state == "stopped"
    status = await service.ensure(ignore_progress)
    assert await service.status() == status
    assert (status.version, status.address) == ("7", f"http://127.0.0.1:{farm.port}")
    assert status.log is not None and status.log.exists()
    assert status.since == psutil.Process(status.pid).create_time()


async def test_it_is_apart_from_our_terminal(farm):
    status = await farm.service().ensure(ignore_progress)
    assert os.getsid(status.pid) == status.pid


async def test_what_is_written_is_for_its_owner_alone(farm):
    await farm.service().ensure(ignore_progress)
    files = [path for path in (farm.folder / "data").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert {path.suffix for path in files} == {".json", ".token", ".log"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


async def test_its_token_is_known_while_it_runs_and_at_its_address_only(farm):
    service = farm.service()
    address = f"http://127.0.0.1:{farm.port}"
    assert token_of(service.name, address, farm.environ) is None
    await service.ensure(ignore_progress)
    token = token_of(service.name, address, farm.environ)
    assert token is not None and len(token) >= 32
    assert token_of(service.name, "http://192.0.2.1:80", farm.environ) is None
    await service.stop()
    assert token_of(service.name, address, farm.environ) is None


async def test_stopping_ends_it_and_stopping_again_finds_nothing(farm):
    service = farm.service()
    status = await service.ensure(ignore_progress)
    assert await service.stop() is True
    assert not runs(status.pid)
    assert (await service.status()).state == "stopped"
    assert await service.stop() is False


async def test_one_that_ignores_the_request_to_end_is_killed(farm):
    service = farm.service("stubborn", stop_seconds=0.3)
    status = await service.ensure(ignore_progress)
    assert await service.stop() is True
    assert not runs(status.pid)


async def test_the_processes_that_it_has_started_end_with_it(farm):
    service = farm.service("parent")
    status = await service.ensure(ignore_progress)
    helper = int(status.log.read_text().split()[1])
    assert runs(helper)
    await service.stop()
    await until_gone(helper)


async def test_after_a_kill_the_next_use_starts_another(farm):
    first = await farm.service().ensure(ignore_progress)
    os.kill(first.pid, signal.SIGKILL)
    second = await farm.service().ensure(ignore_progress)
    assert second.state == "running"
    assert second.pid != first.pid
    assert farm.started() == [first.pid, second.pid]


async def test_the_port_of_one_that_was_killed_may_be_open_for_a_moment_longer(farm):
    service = farm.service()
    first = await service.ensure(ignore_progress)
    os.kill(first.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, first.pid, 0)
    with socket.create_server(("127.0.0.1", farm.port)) as lingering:
        again = asyncio.create_task(service.ensure(ignore_progress))
        connection, _ = await asyncio.to_thread(lingering.accept)
        connection.close()
    assert (await again).pid != first.pid


async def test_one_that_is_just_ending_is_waited_for_and_replaced(farm):
    first = await farm.service("lingers").ensure(ignore_progress)
    os.kill(first.pid, signal.SIGTERM)
    assert runs(first.pid)
    second = await farm.service().ensure(ignore_progress)
    assert second.pid != first.pid
    assert not runs(first.pid)


async def test_two_uses_at_once_start_one(farm):
    told: list[Progress] = []
    services = [farm.service() for _ in range(4)]
    statuses = await asyncio.gather(*(service.ensure(told.append) for service in services))
    assert len({status.pid for status in statuses}) == 1
    assert len(farm.started()) == 1


async def test_two_programs_at_once_start_one(farm):
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(RUNTIME.parent)!r})
from llamafarm.providers.base import ignore_progress
from llamafarm.services.process import ProcessService
from llamafarm.services.process import ProcessSpec
command = [sys.executable, {str(RUNTIME)!r}, "--port", "{farm.port}", "--starts", {str(farm.starts)!r}]
spec = ProcessSpec(name="tiny:{farm.port}", title="tiny runtime", host="127.0.0.1", port={farm.port}, version="1",
                   command=lambda: command, recognises=lambda body: body.get("kind") == "tiny")
print(asyncio.run(ProcessService(spec).ensure(ignore_progress)).pid)
"""
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=farm.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    outputs = await asyncio.gather(*(one.communicate() for one in programs))
    assert [one.returncode for one in programs] == [0, 0], outputs
    assert len({output for output, _ in outputs}) == 1
    assert len(farm.started()) == 1


async def test_one_that_dies_while_starting_shows_the_end_of_its_log(farm):
    with pytest.raises(ServiceError, match="The tiny runtime ended while it was starting") as caught:
        await farm.service("dies").ensure(ignore_progress)
    assert "loading the engine\nno such engine: warp" in caught.value.message
    assert str(farm.folder) in caught.value.message
    assert (await farm.service().ensure(ignore_progress)).state == "running"


async def test_one_that_never_becomes_ready_is_given_up_and_ended(farm):
    with pytest.raises(ServiceError, match=r"The tiny runtime was not ready within 1 s"):
        await farm.service("hangs", start_seconds=1.0, stop_seconds=2.0).ensure(ignore_progress)
    assert (await farm.service().status()).state == "stopped"


async def test_a_command_that_does_not_exist_is_an_error_for_the_user(farm):
    service = farm.service()
    object.__setattr__(service.spec, "command", lambda: ["/nowhere/at-all"])
    with pytest.raises(ServiceError, match="cannot be started"):
        await service.ensure(ignore_progress)


async def test_a_data_directory_that_cannot_be_used_is_an_error_for_the_user(farm):
    (farm.folder / "data").write_text("a file")
    with pytest.raises(ServiceError, match="the data directory cannot be used"):
        await farm.service().ensure(ignore_progress)
    (farm.folder / "data").unlink()


async def test_a_port_that_another_program_uses_is_named_with_that_program(farm):
    async with ScriptedUpstream(answering({"hello": "world"})) as other:
        farm.port = other.port
        with pytest.raises(ServiceError, match=f"port {other.port} is in use by .*process {os.getpid()}") as caught:
            await farm.service().ensure(ignore_progress)
        status = await farm.service(obstacle=lambda: ServiceError("It is not installed.")).status()
    assert (status.state, status.obstacle) == ("stopped", str(caught.value))
    assert farm.started() == []


async def test_the_processes_of_this_machine_are_looked_at_beside_the_event_loop(farm, monkeypatch):
    threads: list[threading.Thread] = []

    def noting(answer):
        return lambda *_: threads.append(threading.current_thread()) or answer

    monkeypatch.setattr("llamafarm.services.process.listener", noting("a program"))
    monkeypatch.setattr("llamafarm.services.process.has_listener", noting(True))
    await farm.service("good", version="").ensure(ignore_progress)
    await farm.service().stop()
    async with ScriptedUpstream(answering({})) as other:
        farm.port = other.port
        await farm.service().status()
    assert len(threads) >= 2
    assert threading.current_thread() not in threads


async def test_a_server_that_refuses_the_key_is_not_taken_for_another_program(farm):
    async with ScriptedUpstream(answering({"error": {"message": "The key is wrong."}}, 401)) as other:
        farm.port = other.port
        with pytest.raises(AuthenticationFailed, match="The key is wrong") as caught:
            await farm.service().ensure(ignore_progress)
        assert (await farm.service().status()).obstacle == str(caught.value)
    assert "`api_key`" in caught.value.hint
    assert farm.started() == []


async def test_a_runtime_of_somebody_else_is_used_and_never_stopped(farm):
    other = by_hand(str(RUNTIME), "--port", str(farm.port), "--version", "9")
    try:
        for _ in range(400):
            if (await probe(f"http://127.0.0.1:{farm.port}", "/health")).reached:
                break
            await asyncio.sleep(0.05)
        service = farm.service()
        status = await service.ensure(ignore_progress)
        assert (status.state, status.version, status.pid) == ("foreign", "9", None)
        assert await service.status() == status
        with pytest.raises(ServiceError, match="was not started by LlamaFarm"):
            await service.stop()
        assert other.poll() is None
        assert farm.started() == []
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("mode", ["good", "child"])
async def test_a_program_is_ours_where_what_was_started_or_a_child_of_it_listens_on_the_port(farm, mode):
    service = farm.service(mode, version="")
    first = await service.ensure(ignore_progress)
    again = await farm.service(mode, version="").ensure(ignore_progress)
    assert (first.state, again.state, again.pid) == ("running", "running", first.pid)
    assert (await service.status()).state == "running"
    assert await service.stop() is True
    assert not (await probe(f"http://127.0.0.1:{farm.port}", "/health")).reached


async def test_the_version_of_a_program_that_llamafarm_does_not_know_is_the_one_that_it_tells(farm):
    service = farm.service("good", version="")
    object.__setattr__(service.spec, "command", lambda: [sys.executable, str(RUNTIME), "--port", str(farm.port)])
    await service.ensure(ignore_progress)
    assert (await service.status()).version == "1"


async def test_a_program_that_somebody_else_started_is_not_taken_for_ours(farm):
    service = farm.service("good", version="")
    await service.ensure(ignore_progress)
    other = by_hand("-c", "import time; time.sleep(600)")
    try:
        state = farm.folder / "data" / "services" / f"tiny-{farm.port}.json"
        ours = state.read_text()
        pid = {"pid": other.pid, "created": psutil.Process(other.pid).create_time()}
        state.write_text(json.dumps({**json.loads(ours), **pid}))
        assert (await service.status()).state == "foreign"
        state.write_text(ours)
        assert (await service.status()).state == "running"
    finally:
        other.kill()
        other.wait()


async def test_one_of_another_version_is_replaced(farm):
    old = await farm.service(version="1").ensure(ignore_progress)
    new = await farm.service(version="2").ensure(ignore_progress)
    assert (new.version, new.state) == ("2", "running")
    assert not runs(old.pid)


async def test_a_process_that_has_only_got_the_pid_of_ours_is_left_alone(farm):
    service = farm.service()
    first = await service.ensure(ignore_progress)
    await service.stop()
    bystander = by_hand("-c", "import time; time.sleep(600)")
    try:
        stale = farm.folder / "data" / "services" / f"tiny-{farm.port}.json"
        written = {"pid": bystander.pid, "created": first.since - 1000}
        place = {"address": service.spec.address, "version": "1"}
        stale.write_text(json.dumps({**written, **place}))
        assert await service.stop() is False
        assert (await service.ensure(ignore_progress)).state == "running"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
async def test_a_state_that_cannot_be_read_counts_as_none(farm, text):
    state = farm.folder / "data" / "services" / f"tiny-{farm.port}.json"
    state.parent.mkdir(parents=True)
    state.write_text(text)
    assert (await farm.service().ensure(ignore_progress)).state == "running"


async def test_one_whose_starter_was_cancelled_goes_on_and_is_used(farm):
    task = asyncio.create_task(farm.service().ensure(ignore_progress))
    state = farm.folder / "data" / "services" / f"tiny-{farm.port}.json"
    for _ in range(400):
        if state.exists():
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await farm.service().ensure(ignore_progress)).state == "running"
    assert len(set(farm.started())) == 1


async def test_only_addresses_of_this_machine_are_started(farm):
    service = farm.service(host="192.0.2.1")
    obstacle = await service._obstacle(await probe(f"http://127.0.0.1:{farm.port}", "/health"))
    assert "only local addresses are started" in str(obstacle)
    assert farm.started() == []


async def test_the_logs_before_the_last_are_kept_three_of_them(farm):
    for _ in range(5):
        with pytest.raises(ServiceError):
            await farm.service("dies").ensure(ignore_progress)
    logs = sorted(path.name for path in (farm.folder / "data" / "logs").iterdir())
    assert logs == [f"tiny-{farm.port}.log{end}" for end in ("", ".1", ".2", ".3")]
