"""What Ollama's errors mean. They are a text without a code, so that its words decide.

Source: the recorded refusals of 0.33.0-rc2, and its source for those about memory and the cloud; what a full disk
and a bad network say is in its issues 1731 and 4602.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llamafarm import ModelEntry
from llamafarm.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    UpstreamError,
)
from llamafarm.http import Refusal, error_of

DOWNLOAD = "https://ollama.com/download"
LIBRARY = "https://ollama.com/library"


class Meaning(NamedTuple):
    """words: a pattern of the message. status: in the place of Ollama's own. param: the field of the OpenAI wire."""

    words: str
    kind: type[ProviderError]
    status: int | None = None
    param: str | None = None
    code: str | None = None
    hint: str | None = None


_DISK = "The disk of the Ollama server is full: `ollama rm NAME` makes room, OLLAMA_MODELS of the server names another."
_NETWORK = (
    "The Ollama server could not reach that address: it needs the network, or HTTPS_PROXY in its own environment."
)
_RETRIES = "The server's connection to the registry kept breaking: another pull goes on where this one was."
_MEMORY = "Not enough memory: a smaller model, a smaller `options.num_ctx`, or `ollama stop` for another model helps."
MEANINGS = (
    Meaning(r"does not support (tools|functions)", InvalidRequest, 400, "tools", "unsupported_parameter"),
    Meaning(r"does not support thinking", InvalidRequest, 400, "reasoning_effort", "unsupported_parameter"),
    Meaning(r"does not support insert", InvalidRequest, 400, "suffix", "unsupported_parameter"),
    Meaning(r"does not support (chat|generate)", InvalidRequest, 400, "model", "operation_not_supported"),
    Meaning(r"does not support embeddings", InvalidRequest, 400, "model", "operation_not_supported"),
    Meaning(r"invalid think value", InvalidRequest, 400, "think"),
    Meaning(r"image input is not supported|missing data required for image", InvalidRequest, 400, "messages"),
    Meaning(r"illegal base64 data", InvalidRequest, 400, "messages"),
    Meaning(r"^invalid format|JSON schema", InvalidRequest, 400, "response_format"),
    Meaning(r'^option "\w+" must be of type', InvalidRequest, 400, "options"),
    Meaning(r"^time: (invalid|unknown|missing)", InvalidRequest, 400, "keep_alive"),
    Meaning(r"exceeds the (available )?context (size|length)", ContextLengthExceeded, 400),
    Meaning(
        r"out of memory|cudaMalloc failed|failed to allocate|insufficient memory|more system memory",
        UpstreamError,
        hint=_MEMORY,
    ),
    Meaning(r"no space left on device|not enough space on the disk", UpstreamError, hint=_DISK),
    Meaning(r"^max retries exceeded", UpstreamError, hint=_RETRIES),
    Meaning(r'(Get|Head|Post) "https?://', UpstreamError, hint=_NETWORK),
    Meaning(r"^invalid model name", InvalidRequest, 400, "model"),
    Meaning(r"file does not exist", ModelNotFound, 404),
    Meaning(r"model ['\"].*['\"] not found", ModelNotFound, 404),
)
"""The first whose words are in the message tells what an error is."""

_HINTS: dict[type[ProviderError], str] = {
    ContextLengthExceeded: "A larger `options: {num_ctx: …}` of the model entry takes more, up to what the model can; "
    "`truncate: true` lets Ollama drop the oldest messages.",
}


def read_error(refusal: Refusal) -> ProviderError:
    """Return the error of a refusal, of whatever status, with the hint that it calls for."""
    error = error_of(refusal)
    for meaning in MEANINGS:
        if re.search(meaning.words, error.message):
            return _meant(error, meaning)
    if isinstance(error, AuthenticationFailed):
        error.hint = _credentials(refusal)
    return error


def _meant(error: ProviderError, meaning: Meaning) -> ProviderError:
    return meaning.kind(
        error.message,
        provider=error.provider,
        status=meaning.status or error.status,
        code=meaning.code,
        param=meaning.param,
        hint=meaning.hint or _HINTS.get(meaning.kind),
        retry_after=error.retry_after,
    )


def _credentials(refusal: Refusal) -> str:
    if isinstance(refusal.body, dict) and refusal.body.get("signin_url"):
        return f"Sign in with `ollama signin`, or at {refusal.body['signin_url']}"
    if refusal.status == 403 and not refusal.body:
        return "Ollama answers so where it does not know the host name of `base_url`: use 127.0.0.1 or localhost."
    return "Check `api_key` of the model entry; for ollama.com, OLLAMA_API_KEY."


def to_pull(entry: ModelEntry) -> str:
    """What to do about a model that is missing."""
    known = "" if entry.name != entry.model else f" --provider {entry.provider}"
    return f"Get it first: ollama pull {entry.model}, or lf models pull {entry.name}{known}"


def not_in_registry(model: str) -> str:
    """What to do about a model that cannot be had."""
    return f"Is {model!r} right? The names of models are at {LIBRARY}; those of files at Hugging Face begin with hf.co/"


def not_running(error: ConnectionFailed) -> ConnectionFailed:
    """The same error, with what to do about a server that is not there."""
    if error.code == ConnectionFailed.default_code and "through the proxy" not in error.message:
        error.hint = f"Start it with `ollama serve` ({DOWNLOAD}), or check `base_url` and OLLAMA_HOST."
    return error
