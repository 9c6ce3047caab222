"""What a user sees of each error: class, status, code, the server's own words, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from lemonade_asking import Asking
from lemonade_server import MODEL, LemonadeServer
from llamafarm.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    UpstreamError,
)
from llamafarm_kit.testing import ScriptedUpstream, answering

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
LONG = [{"role": "user", "content": "word " * 3000}]


@dataclass(frozen=True)
class Seen:
    """One row: how the server is, what is asked, and what comes of it."""

    server: dict[str, Any]
    asked: dict[str, Any]
    kind: type[ProviderError]
    status: int
    code: str | None
    words: str
    hint: str
    entry: Any = None


TABLE = {
    "wrong key": Seen(
        {"api_key": "sk"}, {}, AuthenticationFailed, 401, "invalid_api_key", "Invalid or missing API key", "api_key"
    ),
    "wrong model": Seen(
        {}, {}, ModelNotFound, 404, "model_not_found", "was not found", "lemonade list", {"model": "Nope"}
    ),
    "context too long": Seen(
        {},
        {"messages": LONG},
        ContextLengthExceeded,
        400,
        "context_length_exceeded",
        "exceeds the available context size (2048 tokens)",
        "lemonade.context_size",
    ),
    "invalid parameter": Seen(
        {},
        {"temperature": "hot"},
        InvalidRequest,
        400,
        "invalid_request_error",
        "Field 'temperature'",
        "",
    ),
    "backend fails": Seen(
        {"backend_fails": True}, {}, UpstreamError, 500, "model_load_error", "llama-server failed to start", "log"
    ),
    "unknown backend": Seen(
        {},
        {},
        UpstreamError,
        500,
        "model_load_error",
        "'llamacpp.backend' must be one of: auto, cpu",
        "lemonade.backend",
        {"lemonade": {"backend": "vulkan"}},
    ),
}
"""A rate limit cannot occur: the server has none. A server that is down, dies or is slow: test_faults.py."""


@BOTH
@pytest.mark.parametrize("name", TABLE)
async def test_an_error_is_what_the_table_says(name, stream):
    row = TABLE[name]
    server = LemonadeServer(**row.server)
    async with ScriptedUpstream(server) as upstream, Asking(upstream, **(row.entry or {})) as asking:
        with pytest.raises(row.kind) as caught:
            await asking.chat(stream=stream, **row.asked)
    error = caught.value
    assert (error.status, error.code) == (row.status, row.code)
    assert row.words in error.message
    assert row.hint in (error.hint or "")


async def test_embeddings_of_a_chat_model_are_the_requests_fault():
    async with ScriptedUpstream(LemonadeServer()) as upstream, Asking(upstream) as asking:
        with pytest.raises(InvalidRequest, match="does not support embeddings") as caught:
            await asking.provider.embed({"input": "a"}, asking.call())
    assert (caught.value.status, caught.value.code) == (501, "not_supported_error")
    assert "embedding model" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "status, code, kind, hint",
    [
        (404, "model_not_supported", ModelNotFound, "on this machine"),
        (409, "slots_pinned_error", InvalidRequest, "pinned"),
    ],
)
async def test_further_codes_of_the_server_have_hints(status, code, kind, hint):
    body = {"error": {"message": f"Model '{MODEL}' cannot be had", "type": code, "code": code}}
    async with ScriptedUpstream(answering(body, status)) as upstream, Asking(upstream) as asking:
        with pytest.raises(kind, match="cannot be had") as caught:
            await asking.chat()
    assert hint in (caught.value.hint or "")
