"""The messages of a chat as Ollama takes them.

Source: Ollama's API, "Generate a chat completion" (0.33): `content` is a text, pictures stand beside it as base64,
arguments of tool calls are objects, and the answer of a tool names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llamafarm.errors import InvalidRequest

_ROLES = {"developer": "system"}
BROKEN_ARGUMENTS = "INVALID_JSON"
"""The argument that holds a call's arguments where they are no JSON object: the conversation must be able to go on."""
_KNOWN = frozenset({"role", "content", "tool_calls", "tool_call_id", "reasoning", "reasoning_content"})


def messages_of(messages: Iterable[Mapping[str, Any]], provider: str) -> list[dict[str, Any]]:
    """The messages in Ollama's form. Raises InvalidRequest for what has no place in it."""
    names: dict[str, str] = {}
    found = [_message(message, f"messages.{at}", names, provider) for at, message in enumerate(messages)]
    if not found:
        raise _wrong("messages", "must hold at least one message: without any, Ollama only loads the model", provider)
    return found


def _message(message: Mapping[str, Any], where: str, names: dict[str, str], provider: str) -> dict[str, Any]:
    """One message. names: the tools by the ids of their calls, filled in on the way."""
    role = message["role"]
    text, images = _content(message.get("content"), f"{where}.content", provider)
    made: dict[str, Any] = {"role": _ROLES.get(role, role), "content": text}
    if images:
        made["images"] = images
    if thought := message.get("reasoning") or message.get("reasoning_content"):
        made["thinking"] = thought
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_call(call, f"{where}.tool_calls.{at}", provider) for at, call in enumerate(calls)]
        names.update((call.get("id", ""), call["function"]["name"]) for call in made["tool_calls"])
    if role == "tool":
        made |= _answered(message, names)
    for name in message:
        if message[name] and name not in _KNOWN and (name, role) != ("name", "tool"):
            raise _wrong(f"{where}.{name}", "has no place in a message of Ollama", provider)
    return made


def _answered(message: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Which call a tool's answer is for, and which tool that was."""
    ident = message.get("tool_call_id") or ""
    tool = message.get("name") or names.get(ident)
    told = {"tool_call_id": ident, "tool_name": tool}
    return {name: value for name, value in told.items() if value}


def _content(content: Any, where: str, provider: str) -> tuple[str, list[str]]:
    """The text and the pictures; parts of text are joined by line ends."""
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    images: list[str] = []
    for at, part in enumerate(content):
        kind = part.get("type")
        if kind == "text":
            texts.append(str(part.get("text", "")))
        elif kind == "image_url":
            images.append(_picture(part.get("image_url"), f"{where}.{at}.image_url", provider))
        else:
            raise _wrong(f"{where}.{at}", f"is of the type {kind!r}; Ollama takes text and pictures", provider)
    return "\n".join(texts), images


def _picture(image: Any, where: str, provider: str) -> str:
    url = image.get("url") if isinstance(image, dict) else image
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not (head.startswith("data:") and head.endswith(";base64") and data):
        raise _wrong(
            where, "must be a data URL with base64, `data:image/png;base64,…`: Ollama fetches no pictures", provider
        )
    return data


def _call(call: Mapping[str, Any], where: str, provider: str) -> dict[str, Any]:
    function = call.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str):
        raise _wrong(f"{where}.function", "must be an object with a `name`", provider)
    made: dict[str, Any] = {"function": {"name": name, "arguments": _arguments(function, where, provider)}}
    return {"id": call["id"], **made} if call.get("id") else made


def _arguments(function: Mapping[str, Any], where: str, provider: str) -> dict[str, Any]:
    """The arguments as an object, as Ollama takes them. What a model wrote wrongly is carried on as text."""
    written = function.get("arguments") or "{}"
    if not isinstance(written, str | dict):
        raise _wrong(f"{where}.function.arguments", "must be a JSON text that holds an object", provider)
    try:
        arguments = json.loads(written) if isinstance(written, str) else written
    except ValueError:
        arguments = None
    return arguments if isinstance(arguments, dict) else {BROKEN_ARGUMENTS: written}


def _wrong(where: str, what: str, provider: str) -> InvalidRequest:
    return InvalidRequest(f"The field {where!r} {what}.", provider=provider, code="invalid_value", param=where)
