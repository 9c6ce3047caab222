"""Recorded exchanges, replayed byte for byte: what one runtime really said, in the pieces in which it came.

async with ReplayUpstream(Exchange.load("models.json"), Exchange.load("chat.json")) as upstream:
    ...  # upstream.base_url, upstream.requests
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from llamafarm_kit.testing.upstream import Asked, Peer, Script, ScriptedUpstream

Ending = Literal["complete", "held", "cut"]
_OWN_FRAMING = {"content-length", "transfer-encoding"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer: the status, the headers and the body in its pieces.

    method, path: what is asked; None fits any. sent: fields that the request's JSON body must hold with these values
    (None: that are absent or null). ending: `held` sends the pieces and keeps the answer open, `cut` breaks off.
    """

    method: str | None
    path: str | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    sent: Mapping[str, Any] = field(default_factory=dict)
    ending: Ending = "complete"

    def __post_init__(self) -> None:
        object.__setattr__(self, "pieces", tuple(self.pieces))

    @classmethod
    def any(cls, status: int, body: bytes | str, content_type: str = "application/json", **headers: str) -> Self:
        """The same answer to whatever is asked. headers: with `_` for `-`, as in `retry_after="30"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        return cls(None, None, status, {"content-type": content_type, **named}, (content,))

    @classmethod
    def load(cls, path: str | Path, **sent: Any) -> Self:
        """Read a recording: a JSON file with `request` (`method`, `path`), `status`, `headers` and `pieces` (`text`).

        sent: as above; without it a streamed recording fits requests whose `stream` is as recorded. Raises ValueError
        where pieces were left out of the recording.
        """
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if any("text" not in piece for piece in found["pieces"]):
            raise ValueError(f"{path} does not hold every piece of the body.")
        asked = found["request"]
        recorded = asked.get("json")
        if not sent and isinstance(recorded, dict) and "stream" in recorded:
            sent = {"stream": recorded["stream"]}
        pieces = tuple(piece["text"].encode("utf-8", "surrogateescape") for piece in found["pieces"])
        return cls(asked["method"], asked["path"], found["status"], found["headers"], pieces, sent)

    def held_after(self, count: int) -> Self:
        """The same answer, of which only so many pieces come; then nothing, until the client goes."""
        return replace(self, pieces=self.pieces[:count], ending="held")

    def cut_after(self, count: int) -> Self:
        """The same answer, whose connection breaks after so many pieces."""
        return replace(self, pieces=self.pieces[:count], ending="cut")

    def fits(self, asked: Asked) -> bool:
        """Whether this is the answer to that request; its query does not count."""
        path = asked.path.partition("?")[0]
        if self.method not in (None, asked.method) or self.path not in (None, asked.path, path):
            return False
        if not self.sent:
            return True
        body = _json(asked)
        return isinstance(body, dict) and all(_same(body.get(name), value) for name, value in self.sent.items())

    async def __call__(self, _: Asked, peer: Peer) -> None:
        """Send the answer: an exchange is a script. Its length is counted: texts of recordings may have been edited."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        chunked = headers.get("transfer-encoding") == "chunked" or self.ending != "complete"
        framing = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(self._length)}
        kept = {name: value for name, value in headers.items() if name not in _OWN_FRAMING}
        await peer.head(self.status, {**kept, **framing})
        for piece in self.pieces:
            await (peer.pieces(piece) if chunked else peer.send(piece))
        if self.ending == "held":
            await peer.gone()
        elif self.ending == "cut":
            peer.close()
        elif chunked:
            await peer.pieces(b"")

    @property
    def _length(self) -> int:
        return sum(map(len, self.pieces))


class ReplayUpstream(ScriptedUpstream):
    """Answers each request with the first exchange that fits it, as often as it is asked.

    A request that none fits gets a 501 that says what was recorded.
    """

    def __init__(self, *exchanges: Exchange) -> None:
        super().__init__(fitting(exchanges))


def fitting(exchanges: Iterable[Exchange]) -> Script:
    """A script that answers with the first exchange that fits."""
    known = tuple(exchanges)

    async def script(asked: Asked, peer: Peer) -> None:
        for exchange in known:
            if exchange.fits(asked):
                return await exchange(asked, peer)
        recorded = ", ".join(f"{one.method} {one.path} {dict(one.sent) or ''}".strip() for one in known) or "nothing"
        message = f"Nothing is recorded for {asked.method} {asked.path}; there is {recorded}."
        return await peer.answer(501, {"error": {"message": message, "code": "not_recorded"}})

    return script


def _json(asked: Asked) -> Any:
    try:
        return asked.body
    except ValueError:
        return None


def _same(found: Any, wanted: Any) -> bool:
    """Equal, where false and absent are one: a request that does not stream need not say so."""
    return found == wanted or (not wanted and not found)
