"""How the server is to run: flags, then the environment, then defaults."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llamafarm.errors import ConfigError

from llamafarm_universal.host.options import PREPARE_SECONDS, HostOptions
from llamafarm_universal.media.settings import read_media_settings
from llamafarm_universal.server.keep import Keep
from llamafarm_universal.server.kept_files import FILE_SECONDS, FILES_MB
from llamafarm_universal.server.memory import SHARE
from llamafarm_universal.server.operator import CONFIG_VARIABLE, Operator, read_operator

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 11540
API_KEY = "UNIVERSAL_RUNTIME_API_KEY"
MAX_REQUESTS = 4096
MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HELD_MB = 256
KEPT_SECONDS = 3600
"""As OpenAI's own addresses of pictures last."""
KEPT_MB = 512
MAX_MEMORY = "UNIVERSAL_RUNTIME_MAX_MEMORY"
_MEMORY = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(%|[KMGT]?B)")
_BYTES = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@dataclass(frozen=True)
class Settings:
    """idle_timeout: seconds without a request after which the server stops by itself; 0: never.

    keep: how long models stay for which nothing else is said. max_memory: what the models of a device may take
    together, in bytes, or a share (at most 1.0) of what is free when the first one is loaded.
    max_requests: how many answers of one model may be running or waiting before further requests get a 429.
    max_body_bytes: of one request's JSON. max_held_bytes: of the JSON of all requests that wait or are being answered,
    beyond the first 64 KiB of each; further ones get a 429.
    grace_seconds: how long running answers may go on once the server is asked to stop. keep_alive_seconds: how long a
    stream may be silent. file_seconds, files_bytes: how long files are kept that are asked for by their address, and
    how much of them; never more than half of the spool.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    api_key: str | None = field(default=None, repr=False)
    operator: Operator = field(default_factory=Operator)
    options: HostOptions = field(default_factory=HostOptions)
    keep: Keep = field(default_factory=Keep)
    max_memory: int | float = SHARE
    idle_timeout: float = 0.0
    max_requests: int = MAX_REQUESTS
    max_body_bytes: int = MAX_BODY_BYTES
    max_held_bytes: int = MAX_HELD_MB * 2**20
    grace_seconds: float = 10.0
    keep_alive_seconds: float = 10.0
    file_seconds: float = KEPT_SECONDS
    files_bytes: int = KEPT_MB * 2**20


def read_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Raises ConfigError for a variable that makes no sense; argparse ends the program for a flag that does."""
    flags = _parser().parse_args(arguments)
    operator = read_operator(_path(environ, "LF_SERVICE_TOKEN_FILE"), _path(environ, CONFIG_VARIABLE))
    media = read_media_settings(environ)
    return Settings(
        host=flags.host or environ.get("UNIVERSAL_RUNTIME_HOST") or DEFAULT_HOST,
        port=_port(environ) if flags.port is None else flags.port,
        api_key=environ.get(API_KEY, "").strip() or None,  # files with secrets end with a line end
        operator=operator,
        options=HostOptions(
            device=flags.device,
            dtype=flags.dtype,
            media=media,
            prepare_seconds=max(PREPARE_SECONDS, media.decode_seconds + PREPARE_SECONDS / 2),
        ),
        keep=Keep(_number(environ, "MODEL_UNLOAD_TIMEOUT", 300.0) or None),
        max_memory=_memory(environ),
        idle_timeout=flags.idle_timeout,
        max_requests=max(1, int(_number(environ, "UNIVERSAL_RUNTIME_MAX_REQUESTS", MAX_REQUESTS))),
        file_seconds=_number(environ, FILE_SECONDS, KEPT_SECONDS),
        files_bytes=min(int(_number(environ, FILES_MB, KEPT_MB) * 2**20), media.spool_bytes // 2),
        max_held_bytes=int(_number(environ, "UNIVERSAL_RUNTIME_MAX_HELD_MB", MAX_HELD_MB) * 2**20),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m llamafarm_universal.server",
        description="The Universal Runtime: serves Hugging Face models over an OpenAI-compatible API.",
    )
    parser.add_argument("--host", help=f"address to listen on (UNIVERSAL_RUNTIME_HOST; {DEFAULT_HOST})")
    parser.add_argument(
        "--port", type=_port_number, help=f"port (UNIVERSAL_RUNTIME_PORT, LF_RUNTIME_PORT; {DEFAULT_PORT})"
    )
    parser.add_argument("--device", choices=["auto", "cuda", "mps", "cpu"], default="auto", help="where models go")
    parser.add_argument("--dtype", choices=["auto", "fp16", "bf16", "fp32"], default="auto", help="precision of models")
    parser.add_argument(
        "--idle-timeout",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="stop after so long without a request (0: never)",
    )
    return parser


def _port_number(value: str) -> int:
    port = int(value)
    if not 0 <= port <= 65535:
        raise ValueError(value)
    return port


def _port(environ: Mapping[str, str]) -> int:
    for name in ("UNIVERSAL_RUNTIME_PORT", "LF_RUNTIME_PORT"):
        if value := environ.get(name):
            try:
                return _port_number(value)
            except ValueError:
                raise ConfigError(f"{name} must be a port from 0 to 65535, not {value!r}.") from None
    return DEFAULT_PORT


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name} must be a number of 0 or more, not {value!r}.")
    return number


def _memory(environ: Mapping[str, str]) -> int | float:
    """Bytes, as `12GB` or `500MB`, or a share, as `80%`."""
    value = environ.get(MAX_MEMORY, "").strip().upper()
    if not value:
        return SHARE
    match = _MEMORY.fullmatch(value)
    number = float(match[1]) if match else 0.0
    if match is None or number == 0 or (match[2] == "%" and number > 100):
        raise ConfigError(f"{MAX_MEMORY} must be like 12GB, 500MB or 80%, not {environ[MAX_MEMORY]!r}.")
    return number / 100 if match[2] == "%" else int(number * _BYTES[match[2]])


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    return Path(value) if value else None
