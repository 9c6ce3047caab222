"""What becomes of each field of a request: one table.

Nothing is dropped without a word: Ollama ignores fields that it does not know, so what it has no place for is refused
here, with the values in brackets taken, because they ask for nothing else than what Ollama does anyway.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from llamafarm.errors import InvalidRequest
from llamafarm.providers.parameters import Parameters
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, Operation

from llamafarm_ollama.options import NAMES

Fate = Literal["mapped", "advisory", "refused"]


class Row(NamedTuple):
    """fate: what becomes of a field. goes: where to, `options.NAME` for an option, or why not. taken: values that are
    taken of a field that is refused."""

    fate: Fate
    goes: str
    taken: tuple[Any, ...] = ()


FIELDS: Mapping[str, Row] = {
    # every operation
    "model": Row("mapped", "model"),
    "user": Row("advisory", "Ollama tells users not apart"),
    # chat and completions
    "messages": Row("mapped", "messages: pictures as `images`, arguments of tool calls as objects, `name` refused"),
    "prompt": Row("mapped", "prompt, `raw`: one text, no token ids"),
    "suffix": Row("mapped", "suffix, without `raw`"),
    "stream": Row("mapped", "stream"),
    "stream_options": Row("mapped", "the chunk with `usage`"),
    "temperature": Row("mapped", "options.temperature"),
    "top_p": Row("mapped", "options.top_p"),
    "seed": Row("mapped", "options.seed"),
    "presence_penalty": Row("mapped", "options.presence_penalty"),
    "frequency_penalty": Row("mapped", "options.frequency_penalty"),
    "stop": Row("mapped", "options.stop"),
    "max_tokens": Row("mapped", "options.num_predict"),
    "max_completion_tokens": Row("mapped", "options.num_predict"),
    "response_format": Row("mapped", "format, with `think: false` where thinking was not asked for"),
    "reasoning_effort": Row("mapped", "think"),
    "tools": Row("mapped", "tools"),
    "logprobs": Row("mapped", "logprobs of a chat; refused for completions"),
    "top_logprobs": Row("mapped", "top_logprobs"),
    "tool_choice": Row("refused", "a model of Ollama cannot be made to call a tool", ("auto", "none")),
    "parallel_tool_calls": Row("refused", "Ollama does not limit how many tools a model calls", (True,)),
    "n": Row("refused", "Ollama makes one answer for a request", (1,)),
    "best_of": Row("refused", "Ollama makes one answer for a request", (1,)),
    "echo": Row("refused", "Ollama does not repeat the prompt", (False,)),
    "logit_bias": Row("refused", "Ollama has no bias for tokens", ({},)),
    "metadata": Row("advisory", "Ollama stores nothing"),
    "store": Row("advisory", "Ollama stores nothing"),
    # embeddings
    "input": Row("mapped", "input: texts, no token ids"),
    "dimensions": Row("mapped", "dimensions"),
    "encoding_format": Row("mapped", "Ollama sends floats; base64 is made of them here"),
}
"""Every field of the OpenAI wire."""

NATIVE: Mapping[str, frozenset[str]] = {
    CHAT.name: NAMES | {"options", "keep_alive", "truncate", "shift", "think"},
    COMPLETIONS.name: NAMES | {"options", "keep_alive", "truncate", "shift", "think", "raw"},
    EMBEDDINGS.name: NAMES | {"options", "keep_alive", "truncate"},
}
"""Ollama's own fields, which a request or `extra_body` may hold beside those; options by their names, too."""

PARAMETERS = Parameters(
    advisory=frozenset(name for name, row in FIELDS.items() if row.fate == "advisory"),
    forward_unknown=True,  # Ollama's own fields; `check` refuses all others
)

OPTIONS: Mapping[str, str] = {
    name: row.goes.removeprefix("options.") for name, row in FIELDS.items() if row.goes.startswith("options.")
}
"""The option that a field of the wire is."""


def check(request: Mapping[str, Any], operation: Operation, provider: str) -> None:
    """Raise InvalidRequest for the first field that Ollama has no place for. Null counts as absent."""
    for name, value in request.items():
        if value is None:
            continue
        row = FIELDS.get(name) if name in operation.fields else None
        if row is None and name not in NATIVE[operation.name]:
            raise InvalidRequest(
                f"The provider {provider} cannot do {name!r} for {operation.name}: Ollama does not know it.",
                provider=provider,
                param=name,
                hint=_nearest(name, operation),
            )
        if row is not None and row.fate == "refused" and value not in row.taken:
            message = f"The provider {provider} cannot do {name!r} for {operation.name}: {row.goes}."
            raise InvalidRequest(message, provider=provider, param=name)


def _nearest(name: str, operation: Operation) -> str | None:
    found = difflib.get_close_matches(name, NATIVE[operation.name] | operation.fields, 1)
    return f"Did you mean {found[0]!r}?" if found else None
