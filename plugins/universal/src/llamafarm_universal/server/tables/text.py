"""What requests for texts may say: one table per operation, one row per field.

Source of the fields: OpenAI's API reference; `top_k`, `min_p`, `repetition_penalty`, `stop_token_ids`, `ignore_eos`,
`min_tokens` and `chat_template_kwargs` are what vLLM adds, `typical_p` what llama.cpp and TGI do.
"""

from __future__ import annotations

from typing import Any

from llamafarm_universal.server.fields import (
    SEED_LIMIT,
    Advisory,
    Done,
    Refused,
    Table,
    as_list,
    as_object,
    boolean,
    integer,
    number,
    record,
    text,
    wrong,
)
from llamafarm_universal.server.inputs import MAX_TOKEN_ID, prompt
from llamafarm_universal.server.prompts import messages, tools
from llamafarm_universal.server.structure import response_format, structured_outputs, tool_choice

MAX_CHOICES = 16
MAX_STOPS = 16
MAX_STOP_LENGTH = 1024
MAX_BIASES = 1024
COMPLETION_TOKENS = 16
"""What `max_tokens` of a text completion is by default: OpenAI's, and every common server's."""


def stop(value: Any, path: str) -> tuple[str, ...]:
    """One text, or a list of up to MAX_STOPS; an empty list asks for nothing."""
    if value == []:
        return ()
    texts = [value] if isinstance(value, str) else as_list(value, path, most=MAX_STOPS)
    for item in texts:
        if not isinstance(item, str) or not 1 <= len(item) <= MAX_STOP_LENGTH:
            wrong(path, f"texts of 1 to {MAX_STOP_LENGTH} characters", item)
    return tuple(texts)


def stop_token_ids(value: Any, path: str) -> tuple[int, ...]:
    """A list of up to MAX_STOPS token ids; an empty one asks for nothing."""
    items = as_list(value, path, most=MAX_STOPS) if value != [] else []
    token = integer(0, MAX_TOKEN_ID)
    return tuple(token(item, f"{path}[{i}]") for i, item in enumerate(items))


def logit_bias(value: Any, path: str) -> dict[int, float]:
    """An object from token ids to numbers from -100 to 100."""
    entries = as_object(value, path)
    if len(entries) > MAX_BIASES:
        wrong(path, f"an object of at most {MAX_BIASES} tokens", entries)
    bias = number(-100, 100)
    return {_token_id(token, path): bias(amount, f"{path}.{token}") for token, amount in entries.items()}


def _token_id(key: str, path: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) <= 9):
        wrong(path, "an object whose keys are token ids", key)
    return int(key)


SAMPLING: Table = {
    "temperature": Done(number(0, 2)),
    "top_p": Done(number(0, 1)),
    "top_k": Done(integer(-1)),
    "min_p": Done(number(0, 1)),
    "typical_p": Done(number(0, 1)),
    "repetition_penalty": Done(number(0, 10, above=True)),
    "presence_penalty": Done(number(-2, 2)),
    "frequency_penalty": Done(number(-2, 2)),
    "logit_bias": Done(logit_bias),
    "stop": Done(stop),
    "stop_token_ids": Done(stop_token_ids),
    "ignore_eos": Done(boolean),
    "min_tokens": Done(integer(0)),
    "seed": Done(integer(-SEED_LIMIT, SEED_LIMIT - MAX_CHOICES)),
    "max_tokens": Done(integer(1)),
    "n": Done(integer(1, MAX_CHOICES)),
    "stream": Done(boolean),
    "stream_options": Done(record(include_usage=boolean, include_obfuscation=boolean)),
    "user": Advisory(),
}

STRUCTURE: Table = {
    "response_format": Done(response_format),
    "structured_outputs": Done(
        structured_outputs, note="vLLM's: json, json_object, regex, choice, grammar or structural_tag."
    ),
    "guided_json": Refused("vLLM has it no more; use 'structured_outputs': {'json': …}."),
    "guided_regex": Refused("vLLM has it no more; use 'structured_outputs': {'regex': …}."),
    "guided_choice": Refused("vLLM has it no more; use 'structured_outputs': {'choice': …}."),
    "guided_grammar": Refused("vLLM has it no more; use 'structured_outputs': {'grammar': …}."),
}

CHAT: Table = {
    "model": Done(text, required=True),
    "messages": Done(
        messages,
        required=True,
        note="parts are texts, pictures (`image_url`), sounds (`input_audio`, `audio_url`) or films (`video_url`).",
    ),
    **SAMPLING,
    **STRUCTURE,
    "max_completion_tokens": Done(integer(1)),
    "logprobs": Done(boolean),
    "top_logprobs": Done(integer(0, 20)),
    "tools": Done(tools),
    "tool_choice": Done(tool_choice),
    "parallel_tool_calls": Done(boolean),
    "chat_template_kwargs": Done(record(enable_thinking=boolean, thinking=boolean)),
    "metadata": Advisory(),
    "store": Advisory(),
    "service_tier": Advisory(),
    "safety_identifier": Advisory(),
    "prompt_cache_key": Advisory(),
    "prompt_cache_retention": Advisory(),
    "modalities": Refused("this model answers in text alone.", inert=(["text"],)),
    "reasoning_effort": Refused("use chat_template_kwargs {'enable_thinking': …} where the model's template knows it."),
    "verbosity": Refused("say in the prompt how long the answer shall be."),
    "functions": Refused("use 'tools'."),
    "function_call": Refused("use 'tool_choice'."),
    "audio": Refused("this model answers in text alone."),
    "prediction": Refused("predicted outputs are not used here."),
    "web_search_options": Refused("this runtime searches nothing."),
}

COMPLETIONS: Table = {
    "model": Done(text, required=True),
    "prompt": Done(prompt, required=True),
    **SAMPLING,
    **STRUCTURE,
    "logprobs": Done(integer(0, 20)),
    "suffix": Refused("models here continue a text, they do not fill one in.", inert=("",)),
    "echo": Refused("put the prompt before the answer yourself.", inert=(False,)),
    "best_of": Done(
        integer(1, MAX_CHOICES), note="how many are made, of which the `n` likeliest come back; not streamed."
    ),
}
