"""A service that is a child process: started once for everybody on this machine, watched until it is ready, stopped."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from filelock import Timeout

from llamafarm.errors import AuthenticationFailed, LlamaFarmError, ServiceError
from llamafarm.http.address import is_loopback
from llamafarm.paths import data_dir
from llamafarm.providers.base import Progress, ignore_progress
from llamafarm.services import processes
from llamafarm.services.base import ServiceStatus
from llamafarm.services.probe import Probe, has_listener, listener, probe
from llamafarm.services.state import ServiceFiles, ServiceState

POLL_SECONDS = 0.05
CLOSING_SECONDS = 3.0
"""How long the port of a process that is gone may still be open."""
HUNG_SECONDS = 10.0
"""A process that should have started long ago and does not answer for so long is replaced."""

TOKEN_VARIABLE = "LF_SERVICE_TOKEN_FILE"  # noqa: S105 - the name of a variable


def no_obstacle() -> None:
    """Nothing that is known of keeps the program from being started."""


@dataclass(frozen=True)
class ProcessSpec:
    """How to start a runtime and how to know it.

    title: what it is called in messages, without an article. obstacle: why it cannot be started here, such as a program
    that is missing, or None. command: makes the command line; it is asked where there is no obstacle.
    version: a process of another one is replaced; empty where it does not matter. environ: added to the
    environment. recognises: whether a health answer comes from this kind of runtime; it is ours where the process that
    was started, or a child of it, listens on the port. api_key: what the health path asks for.
    start_seconds: until it answers. stop_seconds: from the request to end until it is killed.

    The process finds a secret in the file that LF_SERVICE_TOKEN_FILE names, and a client of this machine that same one
    with `token_of`: what only the user who started the runtime may ask of it can ask for that.
    """

    name: str
    title: str
    host: str
    port: int
    version: str
    command: Callable[[], Sequence[str]]
    recognises: Callable[[Mapping[str, Any]], bool]
    obstacle: Callable[[], ServiceError | None] = no_obstacle
    environ: Mapping[str, str] = field(default_factory=dict)
    health_path: str = "/health"
    api_key: str | None = field(default=None, repr=False)
    start_seconds: float = 120.0
    stop_seconds: float = 20.0

    @property
    def address(self) -> str:
        """Its URL, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class ProcessService:
    """The service of one `ProcessSpec`. Making one costs nothing; all that is known is in the files and the system.

    environ: None for that of this process.
    """

    def __init__(self, spec: ProcessSpec, environ: Mapping[str, str] | None = None) -> None:
        self.spec = spec
        self.name = spec.name
        self._environ = os.environ if environ is None else environ
        self._files = ServiceFiles(spec.name, data_dir(self._environ))

    async def ensure(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """Return once the runtime answers: ours, a foreign one, or one that is started now. Raises ServiceError."""
        if (running := await self._running()) is not None:
            return running
        with await self._locked(progress):
            return await self._bring_up(progress)

    async def start(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """The same, for a user who asked for it."""
        return await self.ensure(progress)

    async def stop(self) -> bool:
        """End the process that we started; True where there was one. Raises ServiceError for a foreign runtime."""
        with await self._locked(ignore_progress):
            state = self._files.read()
            if state is not None and state.alive:
                await self._end(state)
                return True
            self._files.clear()
        if self._is_ours(await self._probe()):
            raise ServiceError(
                f"The {self.spec.title} at {self.spec.address} was not started by LlamaFarm.",
                hint=f"Stop it where it was started: {await asyncio.to_thread(listener, self.spec.port)}.",
                status=409,
            )
        return False

    async def status(self) -> ServiceStatus:
        """What is there now, with what `ensure` would say where it could not start it."""
        if (running := await self._running(any_version=True)) is not None:
            return running
        answer = await self._probe()
        if self._is_ours(answer):
            return self._status("foreign", body=answer.body)
        state = self._files.read()
        begun = state is not None and state.alive  # it is on its way, or will be replaced
        obstacle = None if begun else await self._obstacle(answer)
        return replace(self._status("stopped"), obstacle=str(obstacle) if obstacle else None)

    async def _running(self, *, any_version: bool = False) -> ServiceStatus | None:
        """The process that we started, where it answers and is of this version."""
        state = self._files.read()
        if state is None or not (any_version or self._is_current(state)) or not state.alive:
            return None
        answer = await self._probe()
        return self._status("running", state, answer.body) if await self._is_of(answer, state) else None

    async def _bring_up(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        state = self._files.read()
        if state is not None and state.alive:
            if self._is_current(state) and await self._failure(state) is None:
                return self._status("running", state)
            await self._end(state)
        self._files.clear()
        answer = await self._probe() if state is None else await self._probe_after_its_end()
        if self._is_ours(answer):
            return self._status("foreign", body=answer.body)
        if (obstacle := await self._obstacle(answer)) is not None:
            raise obstacle
        return await self._launch(progress)

    async def _probe_after_its_end(self) -> Probe:
        """Probe where a process of ours was: the port of one that has just been killed stays open for a moment."""
        end = time.monotonic() + CLOSING_SECONDS
        answer = await self._probe()
        while answer.reached and not self._is_ours(answer) and time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
            answer = await self._probe()
        return answer

    async def _obstacle(self, answer: Probe) -> LlamaFarmError | None:
        """Why nothing can be started at the address, where that is what answers there now."""
        spec = self.spec
        if answer.refused is not None:
            return AuthenticationFailed(
                answer.refused.message,
                provider=spec.name,
                hint=f"What listens at {spec.address} wants another key: check `api_key` of the model entry.",
            )
        if answer.reached:
            program = await asyncio.to_thread(listener, spec.port)
            return ServiceError(
                f"The {spec.title} cannot start: port {spec.port} is in use by {program}, which does "
                f"not answer as {spec.title}.",
                hint="Stop that program, or give the model entry a `base_url` with another port.",
            )
        if not is_loopback(spec.address):
            return ServiceError(
                f"The {spec.title} does not answer at {spec.address}, and only local addresses are started.",
                hint="Start it there, or check `base_url`.",
            )
        return spec.obstacle()

    async def _launch(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        command = list(self.spec.command())
        progress(Progress("starting", f"Starting the {self.spec.title} at {self.spec.address}"))
        state = self._spawn(command)
        if (failure := await self._failure(state)) is not None:
            await self._end(state)
            end, log = self._files.log_end(), self._files.log
            told = f"The end of its log, {log}:\n{end}" if end else f"Its log, {log}, is empty."
            raise ServiceError(f"The {self.spec.title} {failure}. {told}", hint="`lf logs` shows all of it.")
        return self._status("running", state)

    def _spawn(self, command: Sequence[str]) -> ServiceState:
        own = {TOKEN_VARIABLE: str(self._files.token)}
        try:
            self._files.new_token()
            with self._files.new_log() as log:
                process = processes.start(command, {**self._environ, **self.spec.environ, **own}, log)
        except OSError as error:
            raise ServiceError(f"The {self.spec.title} cannot be started: {error}") from error
        state = ServiceState(process.pid, processes.created(process.pid), self.spec.address, self.spec.version)
        self._files.write(state)
        return state

    async def _failure(self, state: ServiceState) -> str | None:
        """Wait until the process answers; what has become of it where it does not."""
        young = time.time() - state.created < self.spec.start_seconds
        end = time.monotonic() + (self.spec.start_seconds if young else HUNG_SECONDS)
        while time.monotonic() < end:
            if not state.alive:
                return "ended while it was starting"
            answer = await self._probe()
            if await self._is_of(answer, state):
                return None
            if self._is_ours(answer):
                return f"lost {self.spec.address} to one that somebody else has started at the same moment"
            await asyncio.sleep(POLL_SECONDS)
        return f"was not ready within {self.spec.start_seconds:g} s"

    async def _end(self, state: ServiceState) -> None:
        if (process := state.process()) is not None:
            await processes.end(process, self.spec.stop_seconds)
        self._files.clear()

    async def _locked(self, progress: Callable[[Progress], None]) -> AbstractContextManager[object]:
        """Hold the lock of this service until the context that is returned ends; whoever else has it is waited for."""
        end = time.monotonic() + self.spec.start_seconds + self.spec.stop_seconds
        told = False
        while time.monotonic() < end:
            try:
                return self._files.lock().acquire(blocking=False)
            except Timeout:
                pass
            except OSError as error:
                raise ServiceError(
                    f"The {self.spec.title} cannot be started: the data directory cannot be used: {error}.",
                    hint="LF_DATA_DIR may name another one.",
                ) from error
            if not told:
                progress(Progress("starting", f"Waiting for the {self.spec.title}, which is being started"))
                told = True
            await asyncio.sleep(POLL_SECONDS)
        raise ServiceError(f"Another process has been starting the {self.spec.title} for too long.")

    async def _probe(self) -> Probe:
        return await probe(self.spec.address, self.spec.health_path, api_key=self.spec.api_key)

    def _is_ours(self, answer: Probe) -> bool:
        """Whether the answer comes from this kind of runtime, whoever started it."""
        return answer.body is not None and self.spec.recognises(answer.body)

    async def _is_of(self, answer: Probe, state: ServiceState) -> bool:
        """Whether the answer comes from this very process, or one that it has started."""
        process = state.process() if self._is_ours(answer) else None
        return process is not None and await asyncio.to_thread(has_listener, process, self.spec.port)

    def _is_current(self, state: ServiceState) -> bool:
        return (state.version, state.address) == (self.spec.version, self.spec.address)

    def _status(
        self, kind: Any, state: ServiceState | None = None, body: Mapping[str, Any] | None = None
    ) -> ServiceStatus:
        said = (body or {}).get("version")
        return ServiceStatus(
            name=self.name,
            state=kind,
            address=self.spec.address,
            pid=state.pid if state else None,
            since=state.created if state else None,
            version=str(said) if said else (state.version or None if state else None),
            log=self._files.log if kind != "foreign" and self._files.log.exists() else None,
        )
