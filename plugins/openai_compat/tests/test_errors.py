"""What servers say when they refuse: the real bodies of each, what they mean, and what the reader is told to do."""

from __future__ import annotations

import errno

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UpstreamError,
)
from llamafarm.http.refusal import Refusal
from llamafarm.providers.base import Call
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering
from llamafarm_openai_compat.config import endpoint
from llamafarm_openai_compat.errors import read_error
from llamafarm_openai_compat.provider import OpenAIProvider
from openai_asking import COMPLETION, MESSAGES, Asking, entry_at
from openai_networks import resolve

pytestmark = pytest.mark.anyio
TOO_LONG = (
    "This model's maximum context length is 2048 tokens. However, you requested 4100 tokens (4 in the messages, 4096 "
    "in the completion). Please reduce the length of the messages or completion."
)
NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
LLAMA_LONG = {
    "code": 400,
    "message": "the request exceeds the available context size, try increasing it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 5000,
    "n_ctx": 4096,
}
QUOTA = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}


def vllm(message: str, kind: str, code: int, param: str | None = None) -> dict:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@pytest.mark.parametrize(
    "status, body, kind, message, code, hint",
    [
        # OpenAI [documents]
        (429, {"error": {**QUOTA, "param": None}}, RateLimited, "exceeded", "insufficient_quota", "waiting does not"),
        (
            404,
            {"error": {"message": "The model `gpt-9` does not exist", "type": "x", "code": "model_not_found"}},
            ModelNotFound,
            "gpt-9",
            "model_not_found",
            None,
        ),
        # vLLM 0.32 [run]: an object with the status as its code, a text, FastAPI's `detail`
        (
            404,
            vllm("The model `x` does not exist.", "NotFoundError", 404, "model"),
            ModelNotFound,
            "does not exist",
            "model_not_found",
            None,
        ),
        (400, vllm(TOO_LONG, "BadRequestError", 400), ContextLengthExceeded, "4100", "context_length_exceeded", None),
        (400, vllm(NO_TOOLS, "BadRequestError", 400), InvalidRequest, "auto", "BadRequestError", "--tool-call-parser"),
        (401, {"error": "Unauthorized"}, AuthenticationFailed, "Unauthorized", "invalid_api_key", "`api_key`"),
        (404, {"detail": "Not Found"}, UpstreamError, "Not Found", "upstream_error", "`base_url`"),
        # LM Studio 0.4 [documents]: texts
        (
            400,
            {"error": "'response_format.type' must be 'json_schema' or 'text'"},
            InvalidRequest,
            "must be 'json_schema'",
            None,
            "profile: lm-studio",
        ),
        (
            400,
            {"error": "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"},
            InvalidRequest,
            "Supported string values",
            None,
            "of type `json_schema` needs no tools",
        ),
        (
            404,
            {"error": "Unexpected endpoint or method. (POST /v1/rerank)"},
            UpstreamError,
            "Unexpected endpoint",
            "upstream_error",
            "LM Studio cannot",
        ),
        # llama-server [run]
        (
            503,
            {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
            ProviderUnavailable,
            "Loading model",
            "unavailable_error",
            "still loading",
        ),
        (400, {"error": LLAMA_LONG}, ContextLengthExceeded, "available context", "context_length_exceeded", None),
        (
            501,
            {
                "error": {
                    "code": 501,
                    "message": "This server does not support embeddings. Start it with `--embeddings`",
                    "type": "not_supported_error",
                }
            },
            UpstreamError,
            "does not support embeddings",
            "not_supported_error",
            "--embeddings",
        ),
        (
            500,
            {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}},
            UpstreamError,
            "--jinja",
            "server_error",
            "--jinja",
        ),
        # transformers serve 5.23 [run]: `detail`, and a plain text
        (
            422,
            {"detail": "Unexpected fields in the request: {'top_k'}"},
            InvalidRequest,
            "top_k",
            None,
            "only OpenAI's own fields",
        ),
        (400, {"detail": "Server is pinned to 'a'; requested 'b'."}, InvalidRequest, "pinned to 'a'", None, None),
        (500, "Internal Server Error", UpstreamError, "Internal Server Error", "upstream_error", None),
        # a gateway that passes on another server's envelope as a text
        (
            400,
            {"error": {"message": '{"error":{"code":400,"message":"n is 3","type":"invalid_request_error"}}'}},
            InvalidRequest,
            "n is 3",
            "invalid_request_error",
            None,
        ),
    ],
)
async def test_each_servers_refusal_keeps_its_words_and_says_what_to_do(status, body, kind, message, code, hint):
    async with ScriptedUpstream(answering(body, status)) as upstream, Asking(upstream) as asking:
        with pytest.raises(kind) as caught:
            await asking.chat()
        error = caught.value
        assert type(error) is kind
        assert message in error.message
        assert (error.status, error.code, error.provider) == (status, code, "openai")
        assert hint in (error.hint or "") if hint else error.hint is None
        assert len(upstream.requests) == 1


def at(url: str, status: int, message: str, kind: str | None = None) -> ProviderError:
    """What a service at its own address means; nothing is sent."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return read_error(Refusal("openai", f"{url}/chat/completions", status, body))


TOGETHER = "https://api.together.ai/v1"
ANTHROPIC = "https://api.anthropic.com/v1"


@pytest.mark.parametrize(
    "url, status, message, kind, hint",
    [
        (TOGETHER, 429, "Rate limit reached", RateLimited, "fewer at once"),
        (TOGETHER, 503, "Engine overloaded", ProviderUnavailable, "not the cause"),
        (TOGETHER, 402, "Credit limit exceeded", InvalidRequest, "spending limit"),
        (TOGETHER, 403, "Input token count + max_tokens must be less", ContextLengthExceeded, None),
        (TOGETHER, 404, "Unable to access model llama", ModelNotFound, "organisation/model"),
        (TOGETHER, 401, "Invalid API key", AuthenticationFailed, "TOGETHER_API_KEY"),
        (ANTHROPIC, 529, "Overloaded", ProviderUnavailable, "overloaded"),
        (ANTHROPIC, 401, "invalid x-api-key", AuthenticationFailed, "ANTHROPIC_API_KEY"),
        ("https://api.openai.com/v1", 401, "Incorrect API key", AuthenticationFailed, "OPENAI_API_KEY"),
        ("http://127.0.0.1:8000/v1", 429, "slow down", RateLimited, None),
        ("http://127.0.0.1:8000/v1", 401, "no", AuthenticationFailed, "`api_key`"),
    ],
)
async def test_what_a_services_status_means_is_told_for_that_service_only(url, status, message, kind, hint):
    error = at(url, status, message)
    assert type(error) is kind
    assert (error.message, error.status) == (message, status)
    assert hint in (error.hint or "") if hint else error.hint is None


async def test_a_quota_that_is_used_up_is_never_retried():
    refusal = answering({"error": QUOTA}, 429, {"retry-after": "0"})
    async with ScriptedUpstream(refusal) as upstream, Asking(upstream) as asking:
        with pytest.raises(RateLimited):
            await asking.chat()
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_says_when_to_come_back_is_asked_again(status):
    later = answering({"error": "later"}, status, {"retry-after": "0"})
    async with ScriptedUpstream(later, later, answering(COMPLETION)) as upstream, Asking(upstream) as asking:
        assert await (await asking.chat()).completion() == COMPLETION
        assert len(upstream.requests) == 3


@pytest.mark.parametrize("status, headers", [(429, {}), (503, {}), (500, {"retry-after": "0"})])
async def test_without_a_time_and_after_a_failure_nothing_is_asked_again(status, headers):
    async with ScriptedUpstream(answering({"error": "no"}, status, headers)) as upstream, Asking(upstream) as asking:
        with pytest.raises(ProviderError):
            await asking.chat()
        assert len(upstream.requests) == 1


async def test_a_server_elsewhere_that_cannot_be_reached_is_tried_again_and_one_on_this_machine_is_not(monkeypatch):
    tried = []

    async def refused(*, addr_infos, **options):
        tried.append(addr_infos[0][-1][1])
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")

    resolve(monkeypatch, "models.test")
    monkeypatch.setattr("aiohappyeyeballs.start_connection", refused)
    monkeypatch.setattr("llamafarm.http.upstream.CONNECT_BACKOFF", 0.001)
    for base_url in ("http://models.test/v1", "http://127.0.0.1:9/v1"):
        entry = entry_at(base_url)
        provider = OpenAIProvider(endpoint(entry))
        with pytest.raises(ConnectionFailed, match="Connection refused"):
            await provider.chat({"messages": MESSAGES}, Call(entry, "r"))
        await provider.aclose()
    assert tried == [80] * 3 + [9]


@pytest.mark.parametrize(
    "base_url, variable",
    [
        (None, "OPENAI_API_KEY"),
        ("https://api.together.ai/v1", "TOGETHER_API_KEY"),
        ("https://api.anthropic.com/v1/", "ANTHROPIC_API_KEY"),
    ],
)
async def test_a_service_without_its_key_is_an_error_before_anything_is_sent(base_url, variable):
    entry = entry_at(base_url)
    provider = OpenAIProvider(endpoint(entry, environ={}))
    health = await provider.health()
    with pytest.raises(AuthenticationFailed, match="There is no key for https://api") as caught:
        await provider.list_models()
    await provider.aclose()
    assert variable in (caught.value.hint or "")
    assert (health.ok, health.detail) == (False, caught.value.message)
