"""What a runtime does while a contract test runs: a scene, and the fake that plays it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from llamafarm_kit.testing.replay import Exchange, fitting
from llamafarm_kit.testing.upstream import Asked, Script, ScriptedUpstream, silent


class Scene(StrEnum):
    """One thing that a runtime does, good or bad; the value is the id of the tests that need it."""

    READY = "ready"
    """It lists its models, and answers each operation that the provider has: whole and streamed."""
    ECHO = "echo"
    """It answers a chat with the text of its last message."""
    LENGTH = "length"
    """Its answer was cut at the token limit."""
    TOOLS = "tools"
    """Its answer is a call of the tool that it was given."""
    ENDLESS = "endless"
    """It begins a streamed answer, or a sound, and then says nothing more."""
    BROKEN = "broken"
    """A streamed answer, or a sound, breaks off in the middle."""
    DOWN = "down"
    """Nobody is there."""
    SILENT = "silent"
    """It takes the request and never answers."""
    GARBAGE = "garbage"
    """It answers with something that is not its wire."""
    UNAUTHORIZED = "unauthorized"
    """It wants credentials: status 401."""
    FORBIDDEN = "forbidden"
    """These credentials may not do that: status 403."""
    MODEL_MISSING = "model_missing"
    """It does not have the model: status 404, with words or a code that say so."""
    INVALID = "invalid"
    """A parameter is wrong: status 400."""
    TOO_LONG = "too_long"
    """The prompt is longer than the model can take."""
    BUSY = "busy"
    """It asks to come back in 30 seconds: status 429 with Retry-After."""
    FAILED = "failed"
    """It failed: status 500."""
    UNAVAILABLE = "unavailable"
    """It is not ready: status 503."""
    CR = "cr"
    """The lines of its stream end with CR."""
    CRLF = "crlf"
    """They end with CR LF."""
    MIXED = "mixed"
    """They end now so, now so: an event ends with LF CR LF."""
    CLOSE = "close"
    """There is no empty line between its events."""
    DONE_INSIDE = "done_inside"
    """Its last chunk and the end of its stream are one event."""
    HEARTBEATS = "heartbeats"
    """Events without data, and comments, stand before its chunks."""
    PLAIN_TEXT = "plain_text"
    """It calls its stream text/plain."""
    BINARY = "binary"
    """It calls its stream application/octet-stream."""
    NO_TYPE = "no_type"
    """It does not say of what type its stream is."""
    LEFT_OUT = "left_out"
    """Some chunks have no choices, null for them or for the delta, or hold the usage alone."""
    NO_FINISH = "no_finish"
    """Its stop reason is an empty text in every chunk, and its stream ends in the middle of a word."""
    CALLS_BY_ID = "calls_by_id"
    """It calls two tools in turns; an id tells their pieces apart, and no index."""
    NAMES_AGAIN = "names_again"
    """It calls two tools, and each piece says the name of the tool again."""
    PARTS = "parts"
    """Its content is a list of parts: thinking, and text."""
    HOLES = "holes"
    """A number in a vector is null."""
    DEEP = "deep"
    """Its answer is nested more deeply than any reader goes."""
    DIGITS = "digits"
    """A number in its answer has more digits than any reader takes."""


REFUSALS = (
    Scene.UNAUTHORIZED,
    Scene.FORBIDDEN,
    Scene.MODEL_MISSING,
    Scene.INVALID,
    Scene.TOO_LONG,
    Scene.BUSY,
    Scene.FAILED,
    Scene.UNAVAILABLE,
)
"""The scenes in which a runtime says why it does not answer."""

Played = Script | Exchange | Iterable[Exchange]
Scenes = Mapping[Scene, Played]
"""How each scene is played over HTTP: by a script, or by the exchanges of which the first that fits answers."""

GARBAGE = Exchange.any(200, "<html><body>Welcome to the router.</body></html>", "text/html")
BUILT_IN: Scenes = {Scene.SILENT: silent, Scene.GARBAGE: GARBAGE}
"""The scenes that are the same on every wire."""


@dataclass(frozen=True)
class Stage:
    """A fake runtime that plays one scene.

    entry: the fields of a model entry that lead to it. seen: what has reached it so far, in order; two equal requests
    must look equal, so ids and times are left out. working: how many answers it is working on at this very moment.
    """

    entry: Mapping[str, Any]
    seen: Callable[[], list[Any]]
    working: Callable[[], int]


@asynccontextmanager
async def http_stage(scene: Scene, scenes: Scenes, path: str) -> AsyncIterator[Stage]:
    """Play a scene over HTTP, on a free port of the loopback address; `path` is that of the entry's `base_url`."""
    if scene is Scene.DOWN:
        with socket.socket() as taken:  # bound, so that nobody else gets the port, and deaf
            taken.bind(("127.0.0.1", 0))
            yield Stage({"base_url": f"http://127.0.0.1:{taken.getsockname()[1]}{path}"}, list, lambda: 0)
        return
    played = {**BUILT_IN, **scenes}.get(scene)
    assert played is not None, f"`scenes` does not say what the runtime does in Scene.{scene.name}"
    async with ScriptedUpstream(played if callable(played) else fitting(played)) as upstream:
        yield Stage({"base_url": f"http://127.0.0.1:{upstream.port}{path}"}, lambda: _seen(upstream), upstream.working)


def _seen(upstream: ScriptedUpstream) -> list[Any]:
    """The requests without their headers, and forms with one and the same boundary: those differ each time.

    What a provider only looks up (GET) is none of the request: it may do so once, and remember.
    """
    return [(asked.method, asked.path, _unbound(asked)) for asked in upstream.requests if asked.method != "GET"]


def _unbound(asked: Asked) -> bytes:
    _, _, boundary = asked.headers.get("content-type", "").partition("boundary=")
    return asked.content.replace(boundary.encode(), b"boundary") if boundary else asked.content
