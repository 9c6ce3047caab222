"""The runtime as a service: LlamaFarm starts it on first use and leaves it running until it has been idle."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from llamafarm import pip_command
from llamafarm.errors import ServiceError
from llamafarm.http import host_and_port, is_loopback
from llamafarm.services import ProcessService, ProcessSpec

from llamafarm_universal.config import DEFAULT_PORT, UniversalEntry, endpoint

IDLE_SECONDS = 1800
START_SECONDS = 120.0
NEEDED = ("torch", "transformers")
_STATES = ("starting", "ready", "restarting", "failed")


def service_of(entry: UniversalEntry, environ: Mapping[str, str] = os.environ) -> ProcessService | None:
    """The service behind the entry; None where its address is not one that LlamaFarm may start.

    A user and a password in the address are those of something in front of a runtime, which is somebody else's.
    """
    found = endpoint(entry, environ)
    if not is_loopback(found.base_url) or not found.base_url.startswith("http:") or found.address != found.base_url:
        return None
    host, port = host_and_port(found.base_url)
    spec = ProcessSpec(
        name=service_name(port),
        title="Universal Runtime",
        host=host,
        port=port,
        version=_version(),
        command=lambda: command(host, port),
        obstacle=obstacle,
        recognises=is_runtime,
        api_key=found.api_key,
        start_seconds=START_SECONDS,
    )
    return ProcessService(spec, environ)


def service_name(port: int) -> str:
    """`universal`, with the port where it is not the default."""
    return "universal" if port == DEFAULT_PORT else f"universal:{port}"


def command(host: str, port: int) -> Sequence[str]:
    """The command that starts the server. -P: without the folder where that is done among those of Python's modules."""
    server = [sys.executable, "-P", "-m", "llamafarm_universal.server"]
    return [*server, "--host", host, "--port", str(port), "--idle-timeout", str(IDLE_SECONDS)]


def obstacle() -> ServiceError | None:
    """Why the server cannot be started: the extra `server` is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return ServiceError(
        f"The Universal Runtime needs {' and '.join(missing)}, which this Python ({sys.executable}) does not have.",
        hint=pip_command("llamafarm-universal[server]"),
    )


@cache
def _version() -> str:
    return version("llamafarm-universal")


def is_runtime(health: Mapping[str, Any]) -> bool:
    """Whether a health answer is a Universal Runtime's: it says how its engine host is."""
    return health.get("status") == "ok" and health.get("host") in _STATES and "models" in health
