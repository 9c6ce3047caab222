"""The types of a request's fields, as a table: what is wrong is a 400 that names the field, before anybody is asked.

Null stands for absent in every field that may be left out. Fields that are not in the table pass: the provider knows
them, or says that it does not. How small a number may be is in `LEAST` where providers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire.operations import (
    CHAT,
    COMPLETIONS,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    OPERATIONS,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    Operation,
)
from llamafarm.wire.upload import Upload

Check = Callable[[Any], str | None]
"""Returns what a value should be, or None where it is that."""

MAX_BIAS = 100
TOO_LARGE = 2**64
"""No runtime holds a whole number of this size."""


def check(request: Mapping[str, Any], operation: Operation) -> None:
    """Raise RequestError for the first field of the wrong type, and for a required one that is missing."""
    for name in operation.required:
        if request.get(name) is None:
            raise RequestError(f"The field {name!r} is missing.", code="missing_required_parameter", param=name)
    rules = RULES[operation.name]
    for name, value in request.items():
        rule = rules.get(name)
        if rule is not None and value is not None and (expected := rule(value)) is not None:
            raise _wrong(name, expected)
    if operation is CHAT:
        _check_messages(request["messages"])


def expectation(name: str, value: Any, operation: Operation) -> str | None:
    """What the value of a field should be, or None where it is that, or where the operation has no such field."""
    rule = RULES[operation.name].get(name)
    return rule(value) if rule is not None and value is not None else None


def least(name: str, operation: Operation) -> int | None:
    """The smallest number that the wire allows in a field where a provider may allow smaller ones."""
    return 0 if (name, operation) == ("max_tokens", COMPLETIONS) else LEAST.get(name)


def _check_messages(messages: list[Any]) -> None:
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        if not isinstance(message, dict):
            raise _wrong(where, "an object with a role")
        if not isinstance(message.get("role"), str) or not message["role"]:
            raise _wrong(f"{where}.role", "a text such as `user`")
        content = message.get("content")
        if content is not None and not isinstance(content, str) and not _is_parts(content):
            raise _wrong(f"{where}.content", "a text, a list of parts that each have a `type`, or null")
        if content is None and message["role"] in ("user", "system", "developer"):
            raise _wrong(f"{where}.content", "a text or a list of parts")
        if message.get("tool_calls") is not None and not _is_objects(message["tool_calls"]):
            raise _wrong(f"{where}.tool_calls", "a list of objects")


def _wrong(where: str, expected: str) -> RequestError:
    return RequestError(f"The field {where!r} must be {expected}.", code="invalid_value", param=where)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_parts(value: Any) -> bool:
    return _is_objects(value) and all(isinstance(part.get("type"), str) for part in value)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or _is_integer(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < TOO_LARGE


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "a text"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "an object"


def _typed_object(value: Any) -> str | None:
    return None if isinstance(value, dict) and isinstance(value.get("type"), str) else "an object with a `type`"


def _typed_objects(value: Any) -> str | None:
    return None if _is_parts(value) else "a list of objects that each have a `type`"


def _messages(value: Any) -> str | None:
    return None if isinstance(value, list) and value else "a list of at least one message"


def _text_or_object(value: Any) -> str | None:
    return None if isinstance(value, str | dict) else "a text or an object"


def _text_or_texts(value: Any) -> str | None:
    good = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
    return None if good else "a text or a list of texts"


def _input(value: Any) -> str | None:
    """Texts or token ids, one or several."""
    items = value if isinstance(value, list) else [value]
    texts = all(isinstance(item, str) for item in items)
    tokens = isinstance(value, list) and all(_is_integer(item) for item in items)
    lists = all(isinstance(item, list) and item and all(map(_is_integer, item)) for item in items)
    return None if items and (texts or tokens or lists) else "a text, a list of texts, or lists of token ids"


def _biases(value: Any) -> str | None:
    good = isinstance(value, dict) and all(_is_number(bias) and abs(bias) <= MAX_BIAS for bias in value.values())
    return None if good else f"an object of numbers from -{MAX_BIAS} to {MAX_BIAS}"


def _flag_or_count(value: Any) -> str | None:
    """`logprobs`: a flag in chats, a count in text completions."""
    return None if isinstance(value, bool) or (_is_integer(value) and value >= 0) else "true, false or a whole number"


def _texts(value: Any) -> str | None:
    good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if good else "a list of texts"


def _documents(value: Any) -> str | None:
    good = isinstance(value, list) and value and all(isinstance(item, str | dict) for item in value)
    return None if good else "a list of at least one text or object"


def _file(value: Any) -> str | None:
    if not isinstance(value, Upload):
        return "a file, sent as a part of the form with its name"
    return None if value.content else "a file that is not empty"


def _file_or_files(value: Any) -> str | None:
    files = value if isinstance(value, list) and value else [value]
    return next((wrong for one in files if (wrong := _file(one))), None)


def _number(low: float, high: float = math.inf) -> Check:
    wanted = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
    return lambda value: None if _is_number(value) and low <= value <= high else wanted


def _integer(low: int | None = None) -> Check:
    wanted = "a whole number" if low is None else f"a whole number of at least {low}"
    return lambda value: None if _is_integer(value) and (low is None or value >= low) else wanted


def _one_of(*values: str) -> Check:
    wanted = " or ".join(map(repr, values))
    return lambda value: None if value in values else wanted


CHECKS: Mapping[str, Check] = {
    "model": _text,
    "messages": _messages,
    "prompt": _input,
    "input": _input,
    "stream": _flag,
    "stream_options": _object,
    "temperature": _number(0),
    "top_p": _number(0, 1),
    "max_tokens": _integer(),
    "max_completion_tokens": _integer(),
    "n": _integer(1),
    "best_of": _integer(1),
    "stop": _text_or_texts,
    "seed": _integer(),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "logit_bias": _biases,
    "logprobs": _flag_or_count,
    "top_logprobs": _integer(0),
    "response_format": _typed_object,
    "tools": _typed_objects,
    "tool_choice": _text_or_object,
    "parallel_tool_calls": _flag,
    "reasoning_effort": _text,
    "user": _text,
    "metadata": _object,
    "store": _flag,
    "suffix": _text,
    "echo": _flag,
    "encoding_format": _one_of("float", "base64"),
    "dimensions": _integer(1),
    "size": _text,
    "quality": _text,
    "style": _text,
    "background": _text,
    "moderation": _text,
    "input_fidelity": _text,
    "output_format": _text,
    "output_compression": _integer(0),
    "partial_images": _integer(0),
    "complexity": _text,
    "svg": _object,
    "frame_count": _integer(1),
    "frame_duration_ms": _integer(1),
    "image": _file_or_files,
    "mask": _file,
    "markup": _file,
    "file": _file,
    "language": _text,
    "languages": _texts,
    "keywords": _texts,
    "timestamp_granularities": _texts,
    "include": _texts,
    "chunking_strategy": _text_or_object,
    "known_speaker_names": _texts,
    "known_speaker_references": _texts,
    "voice": _text_or_object,
    "instructions": _text,
    "speed": _number(0),
    "stream_format": _one_of("sse", "audio"),
    "query": _text,
    "documents": _documents,
    "top_n": _integer(1),
    "return_documents": _flag,
    "text_1": _text_or_texts,
    "text_2": _text_or_texts,
}
"""The rule of a field wherever it stands."""

LEAST: Mapping[str, int] = {"max_tokens": 1, "max_completion_tokens": 1}
"""Smallest numbers. Some runtimes take -1 for no limit; with `echo`, a completion of no tokens asks for `logprobs`."""

_PICTURE: Mapping[str, Check] = {"prompt": _text, "response_format": _one_of("url", "b64_json")}
_SOUND: Mapping[str, Check] = {"prompt": _text, "response_format": _text}
OWN_CHECKS: Mapping[str, Mapping[str, Check]] = {
    IMAGES.name: _PICTURE,
    IMAGE_EDITS.name: _PICTURE,
    IMAGE_VARIATIONS.name: {**_PICTURE, "image": _file},
    TRANSCRIPTIONS.name: _SOUND,
    TRANSLATIONS.name: _SOUND,
    SPEECH.name: {"input": _text, "response_format": _text},
}
"""The rules of operations in which a name means something else."""

RULES: Mapping[str, Mapping[str, Check]] = {
    operation.name: {
        name: rule
        for name, rule in {**CHECKS, **OWN_CHECKS.get(operation.name, {})}.items()
        if name in operation.fields
    }
    for operation in OPERATIONS
}
"""The rules of each operation, by its name."""
