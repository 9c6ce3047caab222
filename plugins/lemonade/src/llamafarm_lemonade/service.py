"""The server as a service: LlamaFarm starts `lemond` on first use, and stops it when told to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llamafarm import Call, Endpoint, Progress, data_dir
from llamafarm.errors import ServiceError
from llamafarm.http import host_and_port, is_loopback
from llamafarm.services import ProcessService, ProcessSpec, ServiceStatus

from llamafarm_lemonade.config import DEFAULT_PORT, LemonadeEntry, default_port, endpoint
from llamafarm_lemonade.models import bare

PROGRAM = "lemond"
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def service_of(entry: LemonadeEntry, environ: Mapping[str, str] = os.environ) -> LemonadeService | None:
    """The service behind the entry; None where its address is not one that LlamaFarm may start.

    A user and a password in the address are those of something in front of a runtime, which is somebody else's.
    """
    found = endpoint(entry, environ)
    if not is_loopback(found.base_url) or not found.base_url.startswith("http:") or found.address != found.base_url:
        return None
    return LemonadeService(entry, found, environ)


class LemonadeService:
    """One `lemond`.

    Its files are named by the port alone; its name is `lemonade` for the port that LEMONADE_PORT says, else for the
    entry that LEMONADE_MODEL says, so that `lf start lemonade` starts that one of several.
    """

    def __init__(self, entry: LemonadeEntry, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self._entry = entry
        self._endpoint = endpoint
        self._environ = environ
        host, port = host_and_port(endpoint.base_url)
        default = default_port(environ)
        self.chosen = is_chosen(entry, environ) and (port == default or not environ.get("LEMONADE_PORT"))
        self.name = service_name(default if self.chosen else port, default)
        key = {"LEMONADE_API_KEY": endpoint.api_key} if endpoint.api_key else {}
        spec = ProcessSpec(
            name=service_name(port),
            title="Lemonade server",
            host=host,
            port=port,
            version="",
            command=lambda: self._command(host, port),
            obstacle=self._obstacle,
            recognises=is_lemonade,
            environ=key,
            health_path="/live",
            start_seconds=START_SECONDS,
            stop_seconds=STOP_SECONDS,
        )
        self._process = ProcessService(spec, environ)

    async def ensure(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """Return once the server answers; models are loaded by the requests for them. Raises ServiceError."""
        return self._named(await self._process.ensure(progress))

    async def start(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """The same, with the model downloaded and loaded: LEMONADE_MODEL, else the entry's. Raises LlamaFarmError."""
        from llamafarm_lemonade.provider import LemonadeProvider

        status = await self.ensure(progress)
        provider = LemonadeProvider(self._endpoint)
        try:
            await provider.loading.load(Call(self.entry_to_load(), "lf-start", progress=progress))
        finally:
            await provider.aclose()
        return status

    async def stop(self) -> bool:
        """Stop what we started; True where there was something to stop. Raises ServiceError for a foreign one."""
        return await self._process.stop()

    async def status(self) -> ServiceStatus:
        """What is there now, with the version that the server tells."""
        from llamafarm_lemonade.provider import LemonadeProvider

        status = self._named(await self._process.status())
        if status.state == "stopped":
            return status
        provider = LemonadeProvider(self._endpoint)
        try:
            return replace(status, version=(await provider.health()).version)
        finally:
            await provider.aclose()

    def _named(self, status: ServiceStatus) -> ServiceStatus:
        return replace(status, name=self.name)

    def entry_to_load(self) -> LemonadeEntry:
        """The entry, for the model that LEMONADE_MODEL says; a checkpoint is that of the entry's own model."""
        model = self._environ.get("LEMONADE_MODEL")
        if not model or is_chosen(self._entry, self._environ):
            return self._entry
        block = self._entry.lemonade.model_copy(update={"checkpoint": None})
        return self._entry.model_copy(update={"model": model, "lemonade": block})

    def _program(self) -> str | None:
        return shutil.which(PROGRAM, path=self._environ.get("PATH"))

    def _obstacle(self) -> ServiceError | None:
        if self._program() is not None:
            return None
        return ServiceError(
            f"Lemonade is not installed here: there is no program {PROGRAM!r} on the PATH.",
            hint="https://lemonade-server.ai has it; or give the entry the `base_url` of a server elsewhere.",
        )

    def _command(self, host: str, port: int) -> Sequence[str]:
        """The command line, with its configuration written."""
        folder = data_dir(self._environ) / "lemonade" / str(port)
        write_config(folder, self._entry)
        shared = self._environ.get("LEMONADE_CACHE_DIR")
        folders = [shared, str(folder)] if shared else [str(folder)]
        return [str(self._program()), *folders, "--port", str(port), "--host", host, "--no-broadcast"]


def is_chosen(entry: LemonadeEntry, environ: Mapping[str, str]) -> bool:
    """Whether LEMONADE_MODEL says this entry: by its name, or by its model's."""
    said = environ.get("LEMONADE_MODEL")
    return bool(said) and (said == entry.name or bare(str(said)) == bare(entry.model))


def service_name(port: int, default: int = DEFAULT_PORT) -> str:
    """`lemonade`, with the port where it is not the default."""
    return "lemonade" if port == default else f"lemonade:{port}"


def is_lemonade(live: Mapping[str, Any]) -> bool:
    """Whether an answer of `/live` is a Lemonade server's; it says no more than that it is alive."""
    return live == {"status": "ok"}


def write_config(folder: Path, entry: LemonadeEntry) -> None:
    """Write the server's `config.json`. What it was told later by its own commands stays. Raises ServiceError."""
    path = folder / "config.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(json.dumps({**_read(path), **server_config(entry)}, indent=2), encoding="utf-8")
    except OSError as error:
        raise ServiceError(f"The configuration of the Lemonade server cannot be written: {error}") from error


def server_config(entry: LemonadeEntry) -> dict[str, Any]:
    """What the entry says of the whole server, for models that no entry says more of."""
    block = entry.lemonade
    found: dict[str, Any] = {"ctx_size": block.context_size, "max_loaded_models": block.max_loaded_models}
    if block.llamacpp_backend:
        found["llamacpp"] = {"backend": block.llamacpp_backend}
    return {name: value for name, value in found.items() if value is not None}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
