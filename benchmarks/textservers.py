"""Servers that complete texts: ours, `transformers serve`, and whichever runs already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import yaml
from processes import answers, free_port, started, until

TORCH_NAMES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "auto": "auto"}
LOADING = 600.0
"""How many seconds a server may take until it answers, its model read: 16 GB from a slow disk."""
MISSING = """
import sys
from transformers.utils.import_utils import is_serve_available
sys.exit(not is_serve_available())
"""


@dataclass(frozen=True)
class Server:
    """place: host and port. path: of completions. model: its name there. pid: None where it was not started here."""

    name: str
    place: str
    path: str
    model: str
    pid: int | None = None


@contextmanager
def ours(folder: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """The Universal Runtime with a model. settings: how it is loaded, as llamafarm.yaml calls it."""
    with tempfile.TemporaryDirectory() as home:
        config, log = Path(home) / "runtime.yaml", Path(home) / "log"
        config.write_text(yaml.safe_dump({"models": [{"id": str(folder), **settings}]}))
        environ = {**os.environ, "UNIVERSAL_RUNTIME_CONFIG": str(config), "LF_DATA_DIR": home}
        command = [sys.executable, "-m", "llamafarm_universal.server", "--port", "0"]
        name = " ".join(["ours", *(f"{key}={value}" for key, value in settings.items())])
        with log.open("wb") as err, started(command, stdout=subprocess.PIPE, stderr=err, env=environ) as process:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if not line:
                sys.exit(f"the runtime does not start:\n{log.read_text()[-2000:]}")
            yield Server(name, urlsplit(line[-1]).netloc, "/v1/completions", str(folder), process.pid)


@contextmanager
def transformers(python: Path, folder: Path, dtype: str, *options: str) -> Iterator[Server]:
    """`transformers serve` of an environment, with the model loaded before it listens, as it recommends."""
    port = free_port()
    command = [str(python), "-m", "transformers.cli.transformers", "serve", str(folder), "--dtype", TORCH_NAMES[dtype]]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", *options]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    with tempfile.TemporaryDirectory() as home, (Path(home) / "log").open("wb") as out:
        log = Path(home) / "log"
        with started(command, stdout=out, stderr=out, env=environ) as process:
            until(lambda: answers(f"http://127.0.0.1:{port}/health"), process, log, LOADING)
            name = "transformers " + ("continuous" if "--continuous-batching" in options else "plain")
            yield Server(name, f"127.0.0.1:{port}", "/v1/completions", str(folder), process.pid)


def loaded_as(server: Server) -> dict[str, Any]:
    """How ours has loaded its model: device, number format, bytes."""
    with urlopen(f"http://{server.place}/v1/models/{quote(server.model)}", timeout=30) as answer:
        told = json.loads(answer.read())
    return {name: told[name] for name in ("device", "dtype", "memory_bytes")}


def can_serve(python: Path) -> bool:
    """Whether an environment has what `transformers serve` needs."""
    return subprocess.run([str(python), "-c", MISSING], capture_output=True, check=False).returncode == 0


def running(peer: str) -> Server:
    """A server that runs already: `NAME=URL,MODEL`, the URL with its /v1. Raises ValueError."""
    name, equals, rest = peer.partition("=")
    url, comma, model = rest.rpartition(",")
    parts = urlsplit(url)
    if not (name and equals and comma and model and parts.scheme == "http" and parts.hostname):
        raise ValueError(f"a peer is NAME=URL,MODEL, such as vllm=http://127.0.0.1:8000/v1,my-model; not {peer!r}")
    return Server(name, f"{parts.hostname}:{parts.port or 80}", f"{parts.path.rstrip('/')}/completions", model)
