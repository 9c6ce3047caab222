"""What becomes of each field of a request: one table.

Nothing is dropped without a word: Ollama ignores fields that it does not know, so what it has no place for is refused,
but for values that ask for nothing else than what it does anyway.
"""

from __future__ import annotations

from llamafarm import Field, Parameters
from llamafarm.wire import CHAT, COMPLETIONS, EMBEDDINGS

from llamafarm_ollama.options import NAMES

_GENERATING = NAMES | {"options", "keep_alive", "truncate", "shift", "think"}

PARAMETERS = Parameters(
    fields={
        # every operation
        "user": Field("advisory", "Ollama does not tell users apart"),
        # chat and completions
        "messages": Field("mapped", "messages: pictures as `images`, arguments of tool calls as objects"),
        "prompt": Field("mapped", "prompt, `raw`: one text, no token ids"),
        "suffix": Field("mapped", "suffix, without `raw`"),
        "stream_options": Field("mapped", "the chunk with `usage`"),
        "temperature": Field("mapped", "options.temperature"),
        "top_p": Field("mapped", "options.top_p"),
        "seed": Field("mapped", "options.seed"),
        "presence_penalty": Field("mapped", "options.presence_penalty"),
        "frequency_penalty": Field("mapped", "options.frequency_penalty"),
        "stop": Field("mapped", "options.stop"),
        "max_tokens": Field("mapped", "options.num_predict"),
        "max_completion_tokens": Field("mapped", "options.num_predict"),
        "response_format": Field("mapped", "format, with `think: false` where thinking was not asked for"),
        "reasoning_effort": Field("mapped", "think"),
        "tool_choice": Field("refused", "a model of Ollama cannot be made to call a tool", ("auto", "none")),
        "parallel_tool_calls": Field("refused", "Ollama does not limit how many tools a model calls", (True,)),
        "n": Field("refused", "Ollama makes one answer for a request", (1,)),
        "best_of": Field("refused", "Ollama makes one answer for a request", (1,)),
        "echo": Field("refused", "Ollama does not repeat the prompt", (False,)),
        "completions.logprobs": Field("refused", "Ollama has them for chats, in another shape"),
        "logit_bias": Field("refused", "Ollama has no bias for tokens", ({},)),
        "metadata": Field("advisory", "Ollama stores nothing"),
        "store": Field("advisory", "Ollama stores nothing"),
        # embeddings
        "input": Field("mapped", "input: texts; neither token ids nor pictures"),
        "input_type": Field(
            "refused", "Ollama embeds queries and documents alike; a prefix in `input` tells them apart"
        ),
        "encoding_format": Field("mapped", "Ollama sends floats; base64 is made of them here"),
    },
    native={
        CHAT.name: _GENERATING,
        COMPLETIONS.name: _GENERATING | {"raw"},
        EMBEDDINGS.name: NAMES | {"options", "keep_alive", "truncate"},
    },
    forward_unknown=False,
    synonyms=(
        frozenset({"max_tokens", "max_completion_tokens", "num_predict"}),
        frozenset({"reasoning_effort", "think"}),
    ),
    holders=("options",),
)
"""The wire's fields, and Ollama's own, which a request or `extra_body` may hold beside them: options by their names."""
