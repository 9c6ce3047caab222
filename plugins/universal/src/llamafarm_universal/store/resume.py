"""Large files of the hub, fetched so that a later attempt goes on where this one ended.

The hub library (2.4) asks for the rest of a file where a connection breaks, but only inside one call: the next call
writes to a file of its own, and the old one is deleted. So weights are fetched here, into the place where the library
looks for them; it then finds them whole and only links them.
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.store.cache import PARTIAL

ATTEMPTS = 5
"""So often in a row a connection may break without a byte until the download fails."""
PAUSE_SECONDS = 1.0
MAX_BYTES = 50 * 1000**3
"""Larger files the hub hands out only by a protocol of its own, which the library speaks."""

Tell = Callable[[int], None]
"""Told how many bytes of the file are there; an exception that it raises ends the download."""


@dataclass(frozen=True)
class LargeFile:
    """sha256: of its contents, which is its name in the cache."""

    name: str
    size: int
    sha256: str


def fetch(file: LargeFile, url: str, blobs: Path, locks: Path, tell: Tell) -> None:
    """Have the file among the blobs, going on with a part of it that is there. Raises what the hub library raises.

    What has come is kept, whyever this ends.
    """
    from huggingface_hub.utils import WeakFileLock

    for folder in (blobs, locks):
        folder.mkdir(parents=True, exist_ok=True)
    partial = blobs / (file.sha256 + PARTIAL)
    with WeakFileLock(locks / f"{file.sha256}.lock"):
        if (blobs / file.sha256).exists():
            return
        with partial.open("ab") as target:
            if target.tell() > file.size:
                target.truncate(0)
            _go_on(url, target, file.size, tell)
        _check(partial, file)
        partial.replace(blobs / file.sha256)


def connection_errors() -> type[Exception]:
    """What the hub library's HTTP client raises for connections: it is httpx, or from 2.0 on httpx2."""
    from huggingface_hub import get_session

    client: Any = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    errors: type[Exception] = client.TransportError
    return errors


def _go_on(url: str, target: BinaryIO, size: int, tell: Tell) -> None:
    """Until the whole file is there, asking again where a connection breaks."""
    from huggingface_hub import get_session

    fruitless = 0
    while (there := target.tell()) < size:
        tell(there)
        try:
            _receive(get_session(), url, target, tell)
        except connection_errors():
            fruitless = 0 if target.tell() > there else fruitless + 1
            if fruitless == ATTEMPTS:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            if target.tell() == there:
                raise OSError(f"{url} ends before the file does")


def _receive(session: Any, url: str, target: BinaryIO, tell: Tell) -> None:
    """One answer's bytes. A server that knows no ranges sends the file from its beginning."""
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if target.tell():
        headers["Range"] = f"bytes={target.tell()}-"
    with session.stream("GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT) as response:
        hf_raise_for_status(response)
        if response.status_code != 206 and target.tell():
            target.truncate(0)
            target.seek(0)
        for piece in response.iter_raw():
            target.write(piece)
            tell(target.tell())


def _check(partial: Path, file: LargeFile) -> None:
    """Refuse and forget a file that is not what the hub says: going on with it would never mend it."""
    with partial.open("rb") as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if found != file.sha256:
        partial.unlink()
        raise RequestFailed(
            "load_failed", f"`{file.name}` came damaged: its checksum is not the hub's.", hint="Fetch it once more."
        )
