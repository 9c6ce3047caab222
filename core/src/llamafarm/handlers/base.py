"""The agent-handler contract: `Turn` in, `Reply` out, and `Ask` for whatever comes next in the chain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from llamafarm.providers.base import Call
from llamafarm.providers.reply import Reply
from llamafarm.wire.chat import ChatRequest, Message

if TYPE_CHECKING:
    from llamafarm.project import Project
    from llamafarm.providers.entry import ModelEntry


class Session(Protocol):
    """A conversation that is kept. One turn at a time holds it."""

    @property
    def id(self) -> str:
        """What a request names it by, in the header `X-Session-ID`."""

    async def history(self) -> list[Message]:
        """All messages so far, without those of prompt sets."""

    async def append(self, messages: list[Message]) -> None:
        """Keep these messages, together or not at all."""


@dataclass(frozen=True)
class Turn:
    """One user turn. Handlers share it: change a copy (`with_messages`, `dataclasses.replace`), never its parts.

    request: what is asked, the parameters of the model entry merged in. call: its request id and deadline, to be passed
    on. session: None where the conversation is not kept. fields: the request fields that handlers own, validated and
    taken out of `request`. other: asks another model of the project by its name, without handlers.
    """

    project: Project
    entry: ModelEntry
    request: ChatRequest
    call: Call
    session: Session | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    other: Callable[[str, ChatRequest], Awaitable[Reply]] | None = None

    def with_messages(self, messages: list[Message]) -> Turn:
        """The same turn with other messages."""
        return replace(self, request={**self.request, "messages": messages})


Ask = Callable[[Turn], Awaitable[Reply]]
"""What comes next in the chain: the next handler, and at the end the provider.

It returns a Reply once the runtime has accepted, which the caller closes; it raises ProviderError, and whatever else a
handler behind it raises. It may be called any number of times.
"""


class AgentHandler(Protocol):
    """Middleware around the model: changes the turn, asks zero or more times, passes the reply on or makes another."""

    async def run(self, turn: Turn, ask: Ask) -> Reply:
        """Answer `turn`. Whatever `ask` gave and is not returned must be closed.

        Errors of `ask` are left as they are; an error of the handler's own is a LlamaFarmError. One handler serves all
        turns of a model entry, several at once.
        """
