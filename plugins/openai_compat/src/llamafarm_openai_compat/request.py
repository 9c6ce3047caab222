"""A request as one kind of server takes it: nothing that it would drop without a word is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from llamafarm.errors import InvalidRequest
from llamafarm.http import note_ignored
from llamafarm.wire import Operation

from llamafarm_openai_compat.profile import Profile, is_json_object

_ANY_OBJECT = {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}


def fitted(
    request: Mapping[str, Any],
    operation: Operation,
    profile: Profile,
    headers: MutableMapping[str, str],
    provider: str,
) -> Mapping[str, Any]:
    """Return the request for a server of that profile; what it has no use for is left out and named in `headers`.

    Raises InvalidRequest for what the server would ignore although it changes the answer.
    """
    fields, ignored = profile.parameters.apply(request, operation, provider)
    note_ignored(headers, ignored)
    if not profile.structured.strict and _wants_strict_tools(fields):
        note_ignored(headers, ["tools.function.strict"])
    _check_limits(fields, profile, provider)
    _check_parts(fields, profile, provider)
    if profile.structured.as_schema and is_json_object(fields):
        fields["response_format"] = _ANY_OBJECT
    return fields


def is_treated(request: Mapping[str, Any], operation: Operation, profile: Profile) -> bool:
    """Whether a server of that profile gets anything else than the request as it is; null asks for nothing."""
    asked = {name: value for name, value in request.items() if value is not None}
    noted: dict[str, str] = {}
    try:
        return fitted(asked, operation, profile, noted, "") != asked or bool(noted)
    except InvalidRequest:
        return True


def _wants_strict_tools(request: Mapping[str, Any]) -> bool:
    functions = [tool.get("function") for tool in request.get("tools") or () if isinstance(tool, Mapping)]
    return any(isinstance(function, Mapping) and function.get("strict") for function in functions)


def _check_limits(request: Mapping[str, Any], profile: Profile, provider: str) -> None:
    for name, highest in profile.limits.items():
        value = request.get(name)
        if isinstance(value, int | float) and value > highest:
            raise InvalidRequest(
                f"{profile.title} takes {name!r} up to {highest:g}, and would make {highest:g} of {value:g} without a "
                "word.",
                provider=provider,
                param=name,
            )


def _check_parts(request: Mapping[str, Any], profile: Profile, provider: str) -> None:
    if not profile.parts:
        return
    for where, kind in _kinds(request.get("messages")):
        if kind in profile.parts:
            raise InvalidRequest(
                f"{profile.title} takes no {kind!r}: it {profile.parts[kind]}.", provider=provider, param=where
            )


def _kinds(messages: Any) -> Iterator[tuple[str, Any]]:
    """The kind of each part of each message, and where it stands."""
    for at, message in enumerate(messages or ()):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            yield f"messages.{at}.content.{number}", part.get("type")
