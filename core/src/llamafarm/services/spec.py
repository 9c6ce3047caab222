"""What a service that is a child process needs to know of its runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llamafarm.errors import ServiceError


@dataclass(frozen=True)
class ProcessSpec:
    """How to start a runtime and how to know it.

    title: what it is called in messages, without an article. command: makes the command line; it raises
    ServiceError where something is missing. obstacle: says what is missing without doing anything else, or None.
    version: a process of another one is replaced; empty where it does not matter. environ: added to the
    environment. recognises: whether a health answer comes from this kind of runtime. echoes_nonce: whether that
    answer holds the environment's LF_SERVICE_NONCE as `nonce`; a program that does not know it is ours where the
    process that was started, or a child of it, listens on the port. api_key: what the health path asks for.
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
    obstacle: Callable[[], ServiceError | None] = lambda: None
    echoes_nonce: bool = True
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
