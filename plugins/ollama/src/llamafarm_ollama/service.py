"""`ollama serve` as a service: LlamaFarm starts it on first use, where the program is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from llamafarm import ProcessService, ProcessSpec, ServiceError, is_loopback

from llamafarm_ollama.address import PORT, VARIABLE, place
from llamafarm_ollama.config import OllamaEntry, endpoint
from llamafarm_ollama.errors import DOWNLOAD

PROGRAM = "ollama"
START_SECONDS = 60.0


def service_of(entry: OllamaEntry, environ: Mapping[str, str] = os.environ) -> ProcessService | None:
    """The service behind the entry; None where LlamaFarm may not start it, or cannot: Ollama is not installed.

    It uses the models that the user's own `ollama` does. It knows no nonce: the server is ours where the process that
    was started listens on the port.
    """
    url = endpoint(entry, environ).base_url
    if not (is_loopback(url) and url.startswith("http:") and not urlsplit(url).path):
        return None
    if program(environ.get("PATH")) is None:
        return None
    host, port = place(url)
    spec = ProcessSpec(
        name=PROGRAM if port == PORT else f"{PROGRAM}:{port}",
        title="Ollama server",
        host=host,
        port=port,
        version="",
        command=lambda: command(environ.get("PATH")),
        recognises=is_ollama,
        echoes_nonce=False,
        environ={VARIABLE: f"[{host}]:{port}" if ":" in host else f"{host}:{port}"},
        health_path="/api/version",
        start_seconds=START_SECONDS,
    )
    return ProcessService(spec, environ)


@lru_cache(maxsize=8)
def program(path: str | None) -> str | None:
    """The installed program, looked for once in each PATH: every request asks."""
    return shutil.which(PROGRAM, path=path)


def command(path: str | None) -> Sequence[str]:
    """The command that starts the server. Raises ServiceError where Ollama is not installed."""
    found = program(path)
    if found is None:
        raise ServiceError("Ollama is not installed here.", hint=f"It is at {DOWNLOAD}")
    return [found, "serve"]


def is_ollama(answer: Mapping[str, Any]) -> bool:
    """Whether an answer of `/api/version` is Ollama's: its version, and nothing else."""
    return isinstance(answer.get("version"), str) and len(answer) == 1
