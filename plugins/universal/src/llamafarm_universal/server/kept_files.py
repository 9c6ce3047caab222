"""Files that are kept for a while, for clients that asked for an address in the place of the file itself."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llamafarm.errors import LlamaFarmError, RequestError

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.folder import SpoolFolder, writing
from llamafarm_universal.media.spool import Spool
from llamafarm_universal.media.threads import in_thread
from llamafarm_universal.messages import Blob
from llamafarm_universal.server.errors import failure

FILE_SECONDS = "UNIVERSAL_RUNTIME_FILE_SECONDS"
FILES_MB = "UNIVERSAL_RUNTIME_FILES_MB"
NAME_BYTES = 24
"""Of chance: nobody guesses 192 bits."""
_ENDS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_URL = re.compile(r"https?://[\w.~:\[\]%!$&'()*+,;=/-]{1,2000}", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """Files that came and go together. folder: the name of theirs in the spool. size: of all of them."""

    folder: str
    files: dict[str, Blob]
    size: int


class KeptFiles:
    """Keeps files in the spool. Where they become too many, the oldest go, and with the server all.

    seconds: how long each is kept. most: bytes of all together.
    """

    def __init__(self, spool: Spool, *, seconds: float, most: int) -> None:
        self.seconds = seconds
        self._spool = spool
        self._most = most
        self._kept: dict[str, Kept] = {}
        self._files: dict[str, Blob] = {}
        self._removing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._files)

    async def keep(self, blobs: Sequence[Blob]) -> list[str]:
        """Keep files, whatever becomes of their request, and return their names. Raises LlamaFarmError."""
        size = sum(blob.size for blob in blobs)
        if size > self._most:
            raise _too_large(size, self._most)
        folder = f"kept_{secrets.token_hex(16)}"
        files: list[Blob] = []
        names = [secrets.token_urlsafe(NAME_BYTES) + _end_of(blob) for blob in blobs]
        try:
            files = await in_thread(self._write, folder, blobs)
        except RequestFailed as failed:
            raise failure(failed.event("")) from None
        finally:
            if not files:
                await in_thread(self._spool.remove, folder)
        self._kept[folder] = Kept(folder, dict(zip(names, files, strict=True)), size)
        self._files |= self._kept[folder].files
        asyncio.get_running_loop().call_later(self.seconds, self._forget, folder)
        while sum(kept.size for kept in self._kept.values()) > self._most:
            self._forget(next(iter(self._kept)))
        return names

    def find(self, name: str) -> Blob:
        """The file of that name. Raises RequestError (404)."""
        if name not in self._files:
            raise expired(self.seconds)
        return self._files[name]

    def _write(self, folder: str, blobs: Sequence[Blob]) -> list[Blob]:
        place = self._spool.create(folder)
        return [_moved(blob, place) for blob in blobs]

    def _forget(self, folder: str) -> None:
        kept = self._kept.pop(folder, None)
        if kept is None:
            return
        for name in kept.files:
            del self._files[name]
        task = asyncio.get_running_loop().create_task(in_thread(self._spool.remove, folder))
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)


def checked_url(url: str, source: str) -> str:
    """An address below which files are to be named to the client. Raises RequestError; source: who gave it."""
    if not _URL.fullmatch(url):
        raise RequestError(f"{source} holds no address of HTTP: {url[:100]!r}.", param=source, code="invalid_value")
    return url.rstrip("/")


def expired(seconds: float) -> RequestError:
    """Nothing is kept under a name, or not any more: nobody remembers which."""
    return RequestError(
        "There is no file here, or not any more: its time is over, or newer ones have taken its room.",
        hint=f"Files are kept for {seconds:,g} seconds. Ask for the picture again, with the same `seed`.",
        status=404,
        code="file_expired",
    )


def _moved(blob: Blob, place: SpoolFolder) -> Blob:
    """The same blob as a file of a folder; one that is a file of the spool is not copied."""
    path = place.new_path()
    with writing():
        if blob.path is not None:
            blob.path.replace(path)
        else:
            path.write_bytes(blob.data or b"")
    return Blob(blob.media_type, blob.size, path=Path(path))


def _end_of(blob: Blob) -> str:
    """What the names of such files end with, for those who save them."""
    return _ENDS.get(blob.media_type) or mimetypes.guess_extension(blob.media_type) or ""


def _too_large(size: int, most: int) -> LlamaFarmError:
    message = f"The pictures of this request have {size:,} bytes; {most:,} are kept here to be fetched."
    hint = f"Ask for `b64_json`, or for fewer or smaller ones, or have the operator of the server raise {FILES_MB}."
    return RequestError(message, hint=hint, status=507, code="out_of_space", param="response_format")
