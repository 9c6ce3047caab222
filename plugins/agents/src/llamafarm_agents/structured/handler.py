"""The handler: finds the schema, chooses how to ask for it, and hands on answers that fit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import llamafarm
from llamafarm.errors import InvalidRequest, RequestError
from llamafarm.wire import ChatRequest

from llamafarm_agents.structured.answer import Wish
from llamafarm_agents.structured.asking import Asking
from llamafarm_agents.structured.choice import choose
from llamafarm_agents.structured.options import StructuredOptions
from llamafarm_agents.structured.schema import ANY_OBJECT, JsonSchema, Schema
from llamafarm_agents.structured.schema_file import read_schema
from llamafarm_agents.structured.stream import CheckedReply

FORMAT = "response_format"


class StructuredHandler:
    """Middleware. A turn for which nobody has a schema passes untouched.

    The schema is the request's (`response_format`), else that of the options, else any object where the request wants
    one. While an answer may still be asked for again, its reader gets nothing of it: a text is never sent twice.
    """

    def __init__(self, options: StructuredOptions) -> None:
        self._options = options
        self._own: Schema | None = None

    async def start(self) -> None:
        """Read the schema that the options name. Raises ConfigError."""
        if self._options.schema_file is not None:
            self._own = await asyncio.to_thread(read_schema, self._options.schema_file)

    async def run(self, turn: llamafarm.Turn, ask: llamafarm.Ask) -> llamafarm.Reply:
        """Raises RequestError for a schema that is none, and UpstreamError for an answer that never fits one."""
        schema = schema_of(turn.request) or self._own or _any_object(turn.request)
        if schema is None:
            return await ask(turn)
        mode, is_held = await choose(turn, schema)
        turn.note("structured", schema=schema.name, mode=mode.name)
        wish = Wish(schema, mode, turn.entry.name, turn.entry.provider)
        asking = replace(turn, request=cast("ChatRequest", mode.request(turn.request, schema)))
        try:
            return await self._reply(asking, ask, wish, is_held=is_held and not _is_loose(asking.request))
        except InvalidRequest as refusal:
            by_schema = _format(asking.request).get("type") == "json_schema"
            if not by_schema or _is_loose(asking.request) or not (refusal.param or "").startswith(FORMAT):
                raise
            turn.note("structured", strict=False, because=refusal.message)
            return await self._reply(replace(asking, request=_loosened(asking.request)), ask, wish, is_held=False)

    async def _reply(self, asking: llamafarm.Turn, ask: llamafarm.Ask, wish: Wish, *, is_held: bool) -> llamafarm.Reply:
        retries = self._options.max_retries
        if asking.request.get("stream") and wish.mode.streams and (is_held or retries == 0):
            return CheckedReply(await ask(asking), wish)
        return await Asking(asking, ask, wish, retries).reply()


def schema_of(request: Mapping[str, Any]) -> Schema | None:
    """The schema that a request brings. Raises RequestError for one that is none."""
    wanted = _format(request)
    if wanted.get("type") != "json_schema":
        return None
    told = wanted.get("json_schema")
    if not isinstance(told, dict) or not isinstance(definition := told.get("schema"), dict):
        raise _refused("it has no `schema`", "json_schema.schema")
    try:
        return JsonSchema(str(told.get("name") or definition.get("title") or "answer"), definition)
    except ValueError as error:
        raise _refused(str(error), "json_schema.schema") from None


def _any_object(request: Mapping[str, Any]) -> Schema | None:
    return ANY_OBJECT if _format(request).get("type") == "json_object" else None


def _format(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return request.get(FORMAT) or {}


def _is_loose(request: Mapping[str, Any]) -> bool:
    """Whether a request leaves it to the runtime how much of a schema its answer is held to."""
    return (_format(request).get("json_schema") or {}).get("strict") is False


def _loosened(request: Mapping[str, Any]) -> ChatRequest:
    """The same request where the answer is held to what can be held."""
    wanted = _format(request)
    loose = {**wanted, "json_schema": {**wanted["json_schema"], "strict": False}}
    return cast("ChatRequest", {**request, FORMAT: loose})


def _refused(reason: str, where: str) -> RequestError:
    return RequestError(
        f"The `{FORMAT}` of this request holds no JSON Schema: {reason}.",
        code="invalid_value",
        param=f"{FORMAT}.{where}",
    )
