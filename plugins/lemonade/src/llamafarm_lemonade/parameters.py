"""What Lemonade does with each field of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from llamafarm.providers.parameters import Parameters

Treatment = Literal["mapped", "advisory", "refused"]

FIELDS: Mapping[str, tuple[Treatment, str]] = {
    # the question
    "messages": ("mapped", "an empty list is accepted by the server"),
    "prompt": ("mapped", ""),
    "input": ("mapped", "a chat model answers 501"),
    "model": ("mapped", "the entry's; the server loads it where it is not loaded"),
    "suffix": ("mapped", "the backend decides"),
    # how it is answered
    "stream": ("mapped", "comments come while the model thinks; errors may come inside a 200"),
    "stream_options": ("mapped", "the last chunk carries the backend's `timings` too"),
    "echo": ("mapped", "the backend decides"),
    "n": ("mapped", "the backend decides"),
    "best_of": ("mapped", "the backend decides"),
    "max_tokens": ("mapped", "a negative number is no limit"),
    "max_completion_tokens": ("mapped", ""),
    "stop": ("mapped", ""),
    "response_format": ("mapped", "`json_object` and `json_schema`"),
    "logprobs": ("mapped", ""),
    "top_logprobs": ("mapped", ""),
    "encoding_format": ("mapped", ""),
    "dimensions": ("refused", "the vectors come in the model's own length, whatever is asked"),
    # sampling
    "temperature": ("mapped", ""),
    "top_p": ("mapped", ""),
    "seed": ("mapped", ""),
    "presence_penalty": ("mapped", ""),
    "frequency_penalty": ("mapped", ""),
    "logit_bias": ("mapped", ""),
    "reasoning_effort": ("mapped", "the model's template decides"),
    # tools
    "tools": ("mapped", ""),
    "tool_choice": ("mapped", "`none`, `auto`, `required` and a function by its name"),
    "parallel_tool_calls": ("mapped", ""),
    # book-keeping of OpenAI's own service
    "user": ("advisory", ""),
    "metadata": ("advisory", ""),
    "store": ("advisory", ""),
}
"""Each field of the wire, what is done with it, and what is worth knowing. Others go to the server as they are."""


def _named(treatment: Treatment) -> frozenset[str]:
    return frozenset(name for name, (found, _) in FIELDS.items() if found == treatment)


PARAMETERS = Parameters(advisory=_named("advisory"), refused=_named("refused"), forward_unknown=True)
