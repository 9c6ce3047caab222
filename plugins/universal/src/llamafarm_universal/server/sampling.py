"""From a parsed request to the host's sampling parameters."""

from __future__ import annotations

from llamafarm.errors import RequestError

from llamafarm_universal.messages import Sampling
from llamafarm_universal.server.best_of import asks_for_best
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.tables.text import COMPLETION_TOKENS


def chat_sampling(request: Parsed) -> Sampling:
    """Raises RequestError where two fields contradict each other."""
    return _sampling(request, max_tokens=_max_tokens(request), logprobs=_chat_logprobs(request))


def completion_sampling(request: Parsed) -> Sampling:
    max_tokens = request.get("max_tokens", COMPLETION_TOKENS)
    logprobs = request.get("logprobs", 0 if asks_for_best(request) else None)
    return _sampling(request, max_tokens=max_tokens, logprobs=logprobs)


def check_stream_options(request: Parsed) -> None:
    if "stream_options" in request.values and not request.get("stream"):
        raise RequestError("'stream_options' needs 'stream': true.", param="stream_options", code="invalid_value")


def _sampling(request: Parsed, *, max_tokens: int | None, logprobs: int | None) -> Sampling:
    top_k = request.get("top_k")
    return Sampling(
        max_tokens=max_tokens,
        temperature=request.get("temperature"),
        top_p=request.get("top_p"),
        top_k=None if top_k is None else max(top_k, 0),  # -1 and 0 both mean all tokens, depending on the server
        min_p=request.get("min_p"),
        typical_p=request.get("typical_p"),
        repetition_penalty=request.get("repetition_penalty"),
        presence_penalty=request.get("presence_penalty"),
        frequency_penalty=request.get("frequency_penalty"),
        logit_bias=request.get("logit_bias", {}),
        stop=request.get("stop", ()),
        stop_token_ids=request.get("stop_token_ids", ()),
        ignore_eos=request.get("ignore_eos", False),
        min_tokens=request.get("min_tokens"),
        seed=request.get("seed"),
        logprobs=logprobs,
    )


def _max_tokens(request: Parsed) -> int | None:
    """`max_completion_tokens` is the newer name of `max_tokens`."""
    old, new = request.get("max_tokens"), request.get("max_completion_tokens")
    if old is not None and new is not None and old != new:
        raise RequestError(
            f"'max_tokens' is {old} and 'max_completion_tokens' is {new}: they mean the same, give one.",
            param="max_completion_tokens",
            code="invalid_value",
        )
    found: int | None = old if new is None else new
    return found


def _chat_logprobs(request: Parsed) -> int | None:
    top: int | None = request.get("top_logprobs")
    if not request.get("logprobs"):
        if top:
            raise RequestError("'top_logprobs' needs 'logprobs': true.", param="top_logprobs", code="invalid_value")
        return None
    return top or 0
