"""The agent-handler contract: `Turn` in, `Reply` out, and `Ask` for whatever comes next in the chain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from llamafarm.handlers.tool_sources import ToolSources
from llamafarm.handlers.trace import Trace
from llamafarm.providers.base import Call, ModelInfo
from llamafarm.providers.reply import Reply
from llamafarm.wire.chat import ChatRequest, Message
from llamafarm.wire.operations import Operation

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


class TurnModel:
    """The model of a turn, and what is known of it: here nothing, in the gateway what its runtime says."""

    def __init__(self, model: str = "") -> None:
        self.id = model

    async def info(self) -> ModelInfo:
        """Features and context length, as the runtime says; asked for once and kept for a while.

        Raises ProviderError where the runtime cannot be asked.
        """
        return ModelInfo(self.id)

    async def count_tokens(self, request: ChatRequest) -> int | None:  # noqa: ARG002 - the gateway's model uses it
        """How many tokens the model would read for `request`; None where its provider cannot count them.

        Raises ProviderError as `info` does.
        """
        return None


AskModel = Callable[[Operation, Mapping[str, Any], str | None], Awaitable[Any]]
"""Asks any operation of any model of the project: see `Turn.ask`."""


CountTexts = Callable[[Sequence[str], str | None], Awaitable[list[int] | None]]
"""Counts the tokens of texts, as any model of the project reads them: see `Turn.count_tokens`."""
DescribeModel = Callable[[str], Awaitable[ModelInfo]]
"""Tells what is known of any model of the project: see `Turn.describe`."""
GoThrough = Callable[["Turn", Sequence[str], Sequence[str], "Ask"], Awaitable[Reply]]
"""Takes a turn through other handlers: see `Turn.through`."""


@dataclass(frozen=True)
class Turn:
    """One user turn. Handlers share it: change a copy (`with_messages`, `dataclasses.replace`), never its parts.

    request: what is asked, the parameters of the model entry merged in. call: its request id and deadline, to be passed
    on. session: None where the conversation is not kept. fields: the request fields that handlers own, validated and
    taken out of `request`. model: what is known of the model of `entry`. steps: what `keep` was given. tool_sources:
    those that the project declares, which all its turns share.
    """

    project: Project
    entry: ModelEntry
    request: ChatRequest
    call: Call
    session: Session | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    model: TurnModel = field(default_factory=TurnModel, compare=False)
    trace: Trace = field(default_factory=Trace, compare=False)
    steps: list[Message] = field(default_factory=list, compare=False)
    tool_sources: ToolSources = field(default_factory=ToolSources, repr=False, compare=False)
    ask_model: AskModel | None = field(default=None, repr=False, compare=False)
    count_texts: CountTexts | None = field(default=None, repr=False, compare=False)
    describe_model: DescribeModel | None = field(default=None, repr=False, compare=False)
    go_through: GoThrough | None = field(default=None, repr=False, compare=False)

    def with_messages(self, messages: list[Message]) -> Turn:
        """The same turn with other messages."""
        return replace(self, request={**self.request, "messages": messages})

    async def ask(self, operation: Operation, request: Mapping[str, Any], *, model: str | None = None) -> Any:
        """Ask a model of the project something beside the turn: embed, rerank, classify, chat with another one.

        model: the name of a model entry; None is this turn's own. No agent handler is in between. It returns what the
        operation's row in the table says: the answer object, a `Reply` or a `Content`; the last two are closed by
        whoever asked. Raises UsageError for an unknown model, OperationNotSupported, and ProviderError.
        """
        assert self.ask_model is not None, "a turn that no gateway has made asks nobody"
        return await self.ask_model(operation, request, model)

    async def count_tokens(self, texts: Sequence[str], *, model: str | None = None) -> list[int] | None:
        """How many tokens each text is to a model of the project, special ones left out; None where nobody counts them.

        model: the name of a model entry; None is this turn's own. Raises UsageError for an unknown one, ProviderError.
        """
        return None if self.count_texts is None else await self.count_texts(texts, model)

    async def describe(self, model: str | None = None) -> ModelInfo:
        """What the runtime says of a model of the project, kept for a while; a None in it is unknown.

        model: the name of a model entry; None is this turn's own. Raises UsageError for an unknown one, ProviderError.
        """
        if model is None or model == self.entry.name:
            return await self.model.info()
        return ModelInfo(model) if self.describe_model is None else await self.describe_model(model)

    async def through(self, handlers: Sequence[str], ask: Ask, *, prompts: Sequence[str] = ()) -> Reply:
        """Ask with other agent handlers between here and `ask`, the first one the outermost.

        They are built from their options for the turn's entry, as if it named them; request fields of theirs are those
        that the turn has. prompts: names of prompt sets, put before the conversation with their variables filled in.
        Raises PluginError and ConfigError for a handler that is not there or lacks something, UsageError for a prompt
        set that is not there, and what `ask` raises.
        """
        assert self.go_through is not None, "a turn that no gateway has made goes through no handlers"
        return await self.go_through(self, handlers, prompts, ask)

    def keep(self, *messages: Message) -> None:
        """Have the session keep messages that lie between question and answer: calls of tools, and their results.

        They are kept with the answer, and the next turn begins with them; where no session is kept, nothing happens.
        """
        self.steps.extend(messages)

    def note(self, stage: str, **facts: Any) -> None:
        """Say what a stage did, for whoever looks at the trace (`lf chat --trace`); the facts are JSON values."""
        self.trace.note(stage, facts)


Ask = Callable[[Turn], Awaitable[Reply]]
"""What comes next in the chain: the next handler, and at the end the provider.

It returns a Reply once the runtime has accepted, which the caller closes; it raises ProviderError, and whatever else a
handler behind it raises. It may be called any number of times.
"""


class AgentHandler(Protocol):
    """Middleware around the model: changes the turn, asks zero or more times, passes the reply on or makes another.

    One is built for each model entry, from that entry's options. It may have two more methods, both without arguments:
    `async def start(self)` is awaited once, before its first turn, and `async def aclose(self)` once its last turn has
    ended, when the project is read again or is done with: what it holds open lives in between.
    """

    async def run(self, turn: Turn, ask: Ask) -> Reply:
        """Answer `turn`. Whatever `ask` gave and is not returned must be closed.

        Errors of `ask` are left as they are; an error of the handler's own is a LlamaFarmError. One handler serves all
        turns of a model entry, several at once.
        """
