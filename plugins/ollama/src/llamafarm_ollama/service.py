"""`ollama serve` as a service: LlamaFarm starts it on first use, where the program is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from llamafarm import Progress
from llamafarm.errors import ServiceError
from llamafarm.http import is_loopback
from llamafarm.services import ProcessService, ProcessSpec, ServiceStatus

from llamafarm_ollama.address import PORT, VARIABLE, place
from llamafarm_ollama.config import OllamaEntry, endpoint
from llamafarm_ollama.errors import DOWNLOAD

PROGRAM = "ollama"
START_SECONDS = 60.0


def service_of(entry: OllamaEntry, environ: Mapping[str, str] = os.environ) -> ProcessService | None:
    """The service behind the entry; None where its address is not one that LlamaFarm may start.

    It uses the models that the user's own `ollama` does.
    """
    url = endpoint(entry, environ).base_url
    if not (is_loopback(url) and url.startswith("http:") and not urlsplit(url).path):
        return None
    host, port = place(url)
    spec = ProcessSpec(
        name=PROGRAM if port == PORT else f"{PROGRAM}:{port}",
        title="Ollama server",
        host=host,
        port=port,
        version="",
        command=lambda: command(environ.get("PATH")),
        obstacle=lambda: obstacle(environ.get("PATH")),
        recognises=is_ollama,
        environ={VARIABLE: f"[{host}]:{port}" if ":" in host else f"{host}:{port}"},
        health_path="/api/version",
        start_seconds=START_SECONDS,
    )
    return ProcessService(spec, environ) if program(environ.get("PATH")) else Missing(spec, environ)


class Missing(ProcessService):
    """The service where Ollama is not installed: only who asks for its start is told so. A request is simply sent."""

    async def ensure(self, progress: Callable[[Progress], None]) -> ServiceStatus:  # noqa: ARG002 nothing is done
        """Start nothing: whether a server answers, which may run in a container, the request will tell."""
        return ServiceStatus(self.name, "foreign", self.spec.address)

    async def start(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """Return where a server answers all the same. Raises ServiceError with what is missing."""
        return await super().ensure(progress)


@lru_cache(maxsize=8)
def program(path: str | None) -> str | None:
    """The installed program, looked for once in each PATH: every request asks."""
    return shutil.which(PROGRAM, path=path)


def command(path: str | None) -> Sequence[str]:
    """The command that starts the server."""
    return [program(path) or PROGRAM, "serve"]


def obstacle(path: str | None) -> ServiceError | None:
    """Why the server cannot be started: Ollama is not installed."""
    if program(path):
        return None
    return ServiceError("Ollama is not installed here, and no server answers.", hint=f"It is at {DOWNLOAD}")


def is_ollama(answer: Mapping[str, Any]) -> bool:
    """Whether an answer of `/api/version` is Ollama's: its version, and nothing else."""
    return isinstance(answer.get("version"), str) and len(answer) == 1
