"""What a chat would ask of its provider: its road up to there, and not a step further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llamafarm.errors import ConnectionFailed, LlamaFarmError
from llamafarm.gateway.chat import ChatTurn
from llamafarm.gateway.known import KnownModel
from llamafarm.gateway.reply import told
from llamafarm.handlers.base import Ask, Turn
from llamafarm.handlers.link import Link
from llamafarm.providers.base import ModelInfo
from llamafarm.providers.reply import Reply
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.operations import CHAT

if TYPE_CHECKING:
    from llamafarm.sessions import StoredSession


@dataclass(frozen=True)
class Preview:
    """What would be asked.

    model: the name of the model entry. handlers: its chain, the outermost first. request: what its provider would be
    given, first where handlers ask several times; None where they answer without it. prompt_tokens: how many the model
    would read; None where they are not counted. problem: why its runtime could not be asked about the model. trace:
    what the handlers noted.
    """

    model: str
    handlers: tuple[str, ...]
    request: Mapping[str, Any] | None
    prompt_tokens: int | None
    problem: str | None
    trace: list[dict[str, Any]]


class PreviewTurn(ChatTurn):
    """A chat that ends before its provider. Handlers do all that they do, such as asking other models."""

    _current: Turn
    _model: PreviewModel
    _handlers: tuple[str, ...]
    _sent: Any = None

    async def preview(self, request: Mapping[str, Any]) -> Preview:
        """Raises LlamaFarmError for what ends the chat before its provider."""
        try:
            reply = await self.run(request, None)
            await reply.aclose()
        except LlamaFarmError:
            if self._sent is None:
                raise
        tokens = None if self._sent is None else await self._model.counted(self._sent)
        trace = told(self._current.trace, self._served.project.secrets)
        return Preview(self._entry.name, self._handlers, self._sent, tokens, self._model.problem, trace)

    def _turn(self, request: Any, fields: Mapping[str, Any], session: StoredSession | None) -> Turn:
        self._model = PreviewModel(self._dispatcher, self._served.lease(self._entry), self._context)
        self._current = replace(super()._turn(request, fields, session), model=self._model)
        return self._current

    def _through(self, chain: tuple[Link, ...]) -> Ask:
        self._handlers = tuple(link.name for link in chain)
        return super()._through(chain)

    async def _ask_provider(self, turn: Turn) -> Reply:
        lease = self._served.lease(turn.entry)
        _, request = self._dispatcher.prepared(self._served.project, lease, CHAT, turn.request, self._context)
        self._sent = self._sent or request
        raise LlamaFarmError("This is a preview: the provider is not asked.")


class PreviewModel(KnownModel):
    """The model of a preview. problem: why its runtime could not be asked about it."""

    problem: str | None = None

    async def info(self) -> ModelInfo:
        """See `TurnModel`."""
        try:
            return await super().info()
        except LlamaFarmError as error:
            self._keep(error)
            raise

    async def counted(self, request: ChatRequest) -> int | None:
        """The tokens of the request, where they can be counted."""
        try:
            return await self.count_tokens(request)
        except LlamaFarmError as error:
            self._keep(error)
            return None

    def _keep(self, error: LlamaFarmError) -> None:
        if isinstance(error, ConnectionFailed) and self._lease.service is not None:
            error.hint = "A preview starts nothing; `lf start` does."
        self.problem = str(error)
