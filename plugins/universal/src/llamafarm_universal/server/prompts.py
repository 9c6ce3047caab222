"""Chat messages and tools of the wire, checked and put in the form that chat templates read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire import BodyError, parse_object

from llamafarm_universal.server.fields import any_text, as_list, as_object, boolean, record, text, wrong
from llamafarm_universal.server.inputs import MAX_PICTURES
from llamafarm_universal.server.parts import Part, content_part, sources_in, unreadable
from llamafarm_universal.server.schema import checked_schema

MAX_MESSAGES = 10_000
MAX_TOOLS = 128
FIELDS = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "reasoning", "reasoning_content"},
    "tool": {"role", "content", "name", "tool_call_id"},
}
BROKEN_ARGUMENTS = "INVALID_JSON"
"""The argument that holds a call's arguments where they are no JSON object: the conversation must be able to go on."""
FIELDS["developer"] = FIELDS["system"]
TOOL_FIELDS = record(name=text, description=any_text, parameters=as_object, strict=boolean)


def messages(value: Any, path: str) -> tuple[Mapping[str, Any], ...]:
    """Return the messages as chat templates read them.

    Text parts are joined by line ends where there is nothing else, `developer` becomes `system`, a tool call's
    arguments become an object, and `reasoning` becomes `reasoning_content`, the name that templates know. Raises
    RequestError.
    """
    read = tuple(_message(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=MAX_MESSAGES)))
    if sum(len(sources_in(message)) for message in read) > MAX_PICTURES:
        wrong(path, f"messages with at most {MAX_PICTURES} pictures, sounds and films together", value)
    return read


def tools(value: Any, path: str) -> tuple[Mapping[str, Any], ...]:
    """Return the tools as they came; an empty list is no tools. Raises RequestError."""
    if value == []:
        return ()
    return tuple(_tool(item, f"{path}[{i}]") for i, item in enumerate(as_list(value, path, most=MAX_TOOLS)))


def _message(value: Any, path: str) -> Mapping[str, Any]:
    # clients send back the answers they were given, with fields that are null or empty lists there
    given = {name: item for name, item in as_object(value, path).items() if item is not None and item != []}
    role = given.get("role")
    if not isinstance(role, str) or role not in FIELDS:
        wrong(f"{path}.role", "one of " + ", ".join(repr(name) for name in FIELDS), role)
    for name in given:
        if name not in FIELDS[role]:
            raise RequestError(
                f"A {role} message has no field {name[:100]!r}.", param=f"{path}.{name[:100]}", code="unknown_field"
            )
    return _for_template(role, given, path)


def _for_template(role: str, given: dict[str, Any], path: str) -> Mapping[str, Any]:
    message: dict[str, Any] = {"role": "system" if role == "developer" else role}
    calls = given.get("tool_calls")
    if "content" in given:
        message["content"] = _content(given["content"], f"{path}.content")
        if role == "assistant" and not isinstance(message["content"], str):
            raise unreadable(f"{path}.content", "an answer holds texts alone")
    elif calls:
        message["content"] = ""
    else:
        raise RequestError(f"{path}.content is missing.", param=f"{path}.content", code="missing_field")
    if calls is not None:
        message["tool_calls"] = [_call(call, f"{path}.tool_calls[{i}]") for i, call in enumerate(_calls(calls, path))]
    if role == "tool" and "tool_call_id" not in given:
        raise RequestError(f"{path}.tool_call_id is missing.", param=f"{path}.tool_call_id", code="missing_field")
    for name in ("name", "tool_call_id"):
        if name in given:
            message[name] = text(given[name], f"{path}.{name}")
    reasoning = given.get("reasoning", given.get("reasoning_content"))
    if reasoning is not None:
        message["reasoning_content"] = any_text(reasoning, f"{path}.reasoning")
    return message


def _content(value: Any, path: str) -> str | list[Part]:
    """A text, or parts where any of them is no text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        wrong(path, "a text or a list of parts", value)
    parts = [content_part(part, f"{path}[{i}]") for i, part in enumerate(value)]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def _calls(value: Any, path: str) -> list[Any]:
    return as_list(value, f"{path}.tool_calls", most=MAX_TOOLS)


def _call(value: Any, path: str) -> Mapping[str, Any]:
    call = as_object(value, path)
    if call.get("type", "function") != "function":
        wrong(f"{path}.type", "'function'", call["type"])
    function = as_object(call.get("function"), f"{path}.function")
    arguments = _arguments(function.get("arguments"), f"{path}.function.arguments")
    name = text(function.get("name"), f"{path}.function.name")
    converted: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    if "id" in call:
        converted["id"] = text(call["id"], f"{path}.id")
    return converted


def _arguments(value: Any, path: str) -> dict[str, Any]:
    """Templates want an object; the wire has a JSON text. What a model wrote wrongly is carried on as text."""
    if value in (None, ""):
        return {}
    try:
        return parse_object(any_text(value, path))
    except BodyError:
        return {BROKEN_ARGUMENTS: value}


def _tool(value: Any, path: str) -> Mapping[str, Any]:
    tool = as_object(value, path)
    if tool.get("type") != "function":
        wrong(f"{path}.type", "'function'", tool.get("type"))
    function = TOOL_FIELDS(tool.get("function"), f"{path}.function")
    text(function.get("name"), f"{path}.function.name")
    if parameters := function.get("parameters"):
        checked_schema(parameters, f"{path}.function.parameters", strict=function.get("strict", False))
    return {"type": "function", "function": function}
