"""What is known of one kind of server, beyond that it speaks the OpenAI wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from llamafarm import InstructorMode, Parameters

ProfileName = Literal[
    "openai", "vllm", "lm-studio", "together", "llama.cpp", "anthropic", "transformers-serve", "generic"
]
Rows = Sequence[Mapping[str, Any]]
"""What `GET /models` lists."""


@dataclass(frozen=True)
class Structured:
    """How structured output is asked for.

    mode: the way of `instructor_mode` that holds best. note: what becomes of `response_format`, and what to mind.
    as_schema: whether `json_object` is sent as the schema of any object, because the server takes schemas only.
    strict: whether `strict: true` of a tool is held to, as far as is known.
    """

    mode: InstructorMode
    note: str = ""
    as_schema: bool = False
    strict: bool = True


@dataclass(frozen=True)
class Hint:
    """What to do about a refusal. status: 0 is any. words: a part of its message, in lower case.

    A hint without words holds only where the server is known by its address.
    """

    says: str
    words: str = ""
    status: int = 0

    def fits(self, status: int, message: str) -> bool:
        return self.status in (0, status) and self.words in message.lower()


@dataclass(frozen=True)
class Profile:
    """One kind of server. source: what its facts are known from: run, read in its source, or in its documents.

    hosts: its addresses on the Internet, which recognise it. owned_by, server: what recognises it in the rows of `GET
    /models` and in the header `Server` of that answer; listed: the same as a function of both, where it takes more.
    key: the variable that holds its key, for those hosts only. structured: how structured output is asked for.
    parameters: what it does with each field. limits: numbers above which it takes a smaller one without a word. parts:
    kinds of message parts that it leaves out without a word, and why. reasoning: where the model's thoughts stand in a
    message, the first that is there. models, health: paths from the server's root, of a list that says more than
    `/models`, and of its health. at_root: the names of operations that it serves at its root and not below `/v1`.
    hints: what to do about its refusals.
    """

    name: ProfileName
    title: str
    source: str
    hosts: frozenset[str] = frozenset()
    owned_by: frozenset[str] = frozenset()
    server: str = ""
    listed: Callable[[Rows, str], bool] | None = None
    key: str | None = None
    structured: Structured = Structured("json")
    parameters: Parameters = field(default_factory=Parameters)
    limits: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    reasoning: tuple[str, ...] = ()
    models: str | None = None
    health: str | None = None
    at_root: frozenset[str] = frozenset()
    hints: tuple[Hint, ...] = ()

    @property
    def can_be_asked(self) -> bool:
        """Whether `GET /models` tells this kind of server; the others are known by their address."""
        return bool(self.owned_by or self.server or self.listed)

    def matches(self, rows: Rows, server: str) -> bool:
        """Whether this is the kind of server that lists these rows and calls itself so in the header `Server`."""
        owners = {str(row.get("owned_by")) for row in rows}
        return (
            (bool(owners) and owners <= self.owned_by)
            or (bool(self.server) and server.lower().startswith(self.server))
            or (self.listed is not None and self.listed(rows, server))
        )

    @cached_property
    def treated(self) -> frozenset[str]:
        """The fields of a request with which it may do anything else than pass them on."""
        named = {name.rpartition(".")[2] for name in self.parameters.fields} | {*self.limits}
        known = {
            "response_format": self.structured.as_schema,
            "tools": not self.structured.strict,
            "messages": bool(self.parts),
        }
        return frozenset(named | {name for name, treated in known.items() if treated})


def is_json_object(request: Mapping[str, Any]) -> bool:
    """Whether any JSON object is asked for, without a schema."""
    wanted = request.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") == "json_object"
