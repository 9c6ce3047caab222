"""A database that another process of this user holds: each operation is asked of that process."""

from __future__ import annotations

import hmac
from typing import Any, cast

import httpx
import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.database.base import DatabaseStats, EmbedderIdentity, FileRecord
from llamafarm_rag.database.blocking import Where
from llamafarm_rag.database.calls import CALLS, load_error
from llamafarm_rag.database.lock import Holder
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.database.server import PING, PROOF
from llamafarm_rag.errors import DatabaseError

ANSWER_SECONDS = 300.0
"""How long an operation may take: an index of words that is made anew is asked for like any other."""
CONNECT_SECONDS = 5.0


class HolderGone(Exception):
    """The holder has ended, or who answers is not the holder: whoever asks next may hold the database."""


class RemoteDatabase:
    """The database of a holder. Each operation raises HolderGone where that is not there any more."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._client = httpx.Client(
            base_url=holder.address,
            headers={"Authorization": f"Bearer {holder.token}", "Content-Type": "application/json"},
            trust_env=False,  # no proxy stands between two processes of one machine
        )

    def ping(self) -> None:
        """Raises HolderGone where the holder does not answer at once."""
        try:
            self._post(PING, b"{}", seconds=CONNECT_SECONDS)
        except DatabaseError as error:
            raise HolderGone(error.message) from error

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Where) -> list[Match]:
        """The nearest passages."""
        return cast("list[Match]", self._ask("nearest", vector, limit, where))

    def matching(self, text: str, limit: int, where: Where) -> list[Match]:
        """The passages that share words with the text."""
        return cast("list[Match]", self._ask("matching", text, limit, where))

    def similarities(self, vector: NDArray[np.float32], ids: list[str]) -> dict[str, float]:
        """The cosine of the vector and each of the passages."""
        return cast("dict[str, float]", self._ask("similarities", vector, ids))

    def claim(self, identity: EmbedderIdentity) -> None:
        """The vectors that follow come from this model."""
        self._ask("claim", identity)

    def files(self, dataset: str | None) -> list[FileRecord]:
        """The files that are done."""
        return cast("list[FileRecord]", self._ask("files", dataset))

    def put(self, passages: list[Passage], vectors: NDArray[np.float32], writer: str) -> None:
        """Keep passages of a file that is not done."""
        self._ask("put", passages, vectors, writer)

    def finish(self, record: FileRecord, ids: list[str]) -> None:
        """The file is done."""
        self._ask("finish", record, ids)

    def remove(self, dataset: str, path: str) -> None:
        """Forget a file."""
        self._ask("remove", dataset, path)

    def abandon(self, writer: str) -> None:
        """Forget what the writer has not finished."""
        self._ask("abandon", writer)

    def clear(self) -> None:
        """Forget everything but the sources."""
        self._ask("clear")

    def sources(self, dataset: str) -> list[str]:
        """What `lf datasets add` named."""
        return cast("list[str]", self._ask("sources", dataset))

    def set_sources(self, dataset: str, sources: list[str]) -> None:
        """Replace them."""
        self._ask("set_sources", dataset, sources)

    def prepare(self) -> None:
        """Open what searches need."""
        self._ask("prepare")

    def stats(self) -> DatabaseStats:
        """How large it is."""
        return cast("DatabaseStats", self._ask("stats"))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, name: str, *arguments: Any) -> Any:
        call = CALLS[name]
        response = self._post(name, call.dump_arguments(arguments))
        try:
            if response.status_code == httpx.codes.OK:
                return call.load_answer(response.content)
            error = load_error(response.content)
        except (ValueError, KeyError, TypeError) as unreadable:
            raise self._odd(str(unreadable)) from unreadable
        raise error

    def _post(self, name: str, body: bytes, seconds: float = ANSWER_SECONDS) -> httpx.Response:
        try:
            limits = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
            response = self._client.post(f"/{name}", content=body, timeout=limits)
        except httpx.ReadTimeout as error:
            raise self._odd(f"no answer within {seconds:.0f} s") from error
        except httpx.TransportError as error:
            raise HolderGone(str(error)) from error
        if not hmac.compare_digest(response.headers.get(PROOF, "").encode(), self._holder.proof.encode()):
            raise HolderGone(f"another program answers at {self._holder.address}")
        return response

    def _odd(self, why: str) -> DatabaseError:
        return DatabaseError(
            f"The process {self._holder.pid}, which holds the database, does not answer as it should: {why}.",
            hint="Both may be of different versions of llamafarm-rag: end that process and start it again.",
            code="database_held",
        )
