"""The modes in which a model can be asked for an answer that fits a schema, and how its answer is read.

They are those of instructor, so that `instructor_mode` of an entry means here what it means there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from llamafarm import InstructorMode
from llamafarm.wire import Message

from llamafarm_agents.structured.schema import ANY_OBJECT, Schema
from llamafarm_agents.structured.wishes import better_text, with_schema

Request = Mapping[str, Any]
_FENCED = re.compile(r"```(?:json)?[ \t]*\n?(.*?)```", re.DOTALL | re.IGNORECASE)


class Mode(Protocol):
    """One way to ask.

    name: as `instructor_mode` has it. by_tools: whether the answer is a call of a tool of ours. streams: whether its
    text may go to the reader as it comes.
    """

    name: InstructorMode
    by_tools: bool
    streams: bool

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        """The request with all that asks for the schema."""

    def text(self, message: Mapping[str, Any], schema: Schema) -> str:
        """The JSON in an answer; an empty text where there is none."""

    def again(self, message: Message, problems: Sequence[str]) -> list[Message]:
        """What follows the conversation to get a better answer than this one."""


class JsonSchemaMode:
    """`response_format` with the schema: the runtime holds the answer to it."""

    name: InstructorMode = "json_schema"
    by_tools = False
    streams = True

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        """As the client has written it, where the schema is the client's."""
        if schema is ANY_OBJECT or (request.get("response_format") or {}).get("type") == "json_schema":
            return dict(request)
        wanted = {"name": schema.name, "schema": schema.definition}
        return {**request, "response_format": {"type": "json_schema", "json_schema": wanted}}

    def text(self, message: Mapping[str, Any], schema: Schema) -> str:  # noqa: ARG002 - others read by it
        return message.get("content") or ""

    def again(self, message: Message, problems: Sequence[str]) -> list[Message]:
        return better_text(message, problems)


class JsonMode(JsonSchemaMode):
    """`response_format` of any object; the schema stands in the prompt."""

    name: InstructorMode = "json"

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        if schema is ANY_OBJECT:  # the client's prompt says which
            return dict(request)
        messages = with_schema(request["messages"], schema)
        return {**request, "messages": messages, "response_format": {"type": "json_object"}}


class MdJsonMode(JsonSchemaMode):
    """The schema in the prompt, and nothing else: what every model can be asked."""

    name: InstructorMode = "md_json"
    streams = False

    def request(self, request: Request, schema: Schema) -> dict[str, Any]:
        rest = {name: value for name, value in request.items() if name != "response_format"}
        return {**rest, "messages": with_schema(request["messages"], schema, fenced=True)}

    def text(self, message: Mapping[str, Any], schema: Schema) -> str:  # noqa: ARG002
        """What stands in the first block of code, else from the first bracket to the last one."""
        text = message.get("content") or ""
        if block := _FENCED.search(text):
            return block[1].strip()
        begins = [place for bracket in "{[" if (place := text.find(bracket)) >= 0]
        ends = max(text.rfind("}"), text.rfind("]"))
        return text[min(begins) : ends + 1] if begins and ends > min(begins) else text.strip()
