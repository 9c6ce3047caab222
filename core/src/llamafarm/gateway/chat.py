"""One chat on its road: its session, its turn, the handlers of its entry, and the provider at their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from llamafarm.errors import PluginError, RequestError
from llamafarm.gateway.dispatch import Context, Dispatcher
from llamafarm.gateway.fields import merged, refuse_foreign_fields, take_handler_choice, take_handler_fields
from llamafarm.gateway.known import KnownModel, text_tokens
from llamafarm.gateway.reply import TurnReply, telling, told
from llamafarm.gateway.served import Served
from llamafarm.handlers.base import Ask, Turn
from llamafarm.handlers.link import Link
from llamafarm.handlers.prompts import with_prompt_sets
from llamafarm.plugins.blame import blaming
from llamafarm.providers.base import ModelInfo
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.reply import Reply
from llamafarm.wire.body import parsed
from llamafarm.wire.operations import CHAT, Operation

if TYPE_CHECKING:
    from llamafarm.sessions import SessionStore, StoredSession

SESSION_HEADER = "X-Session-ID"
NEW_SESSION = "new"


class ChatTurn:
    """Takes one chat request to its reply. end: says that the answer has ended; it may be called twice."""

    def __init__(
        self, dispatcher: Dispatcher, served: Served, entry: ModelEntry, context: Context, end: Callable[[], None]
    ) -> None:
        self._dispatcher = dispatcher
        self._served = served
        self._entry = entry
        self._context = context
        self._end = end

    async def run(self, request: Mapping[str, Any], sessions: SessionStore | None) -> Reply:
        """The reply, once the upstream has accepted. Raises LlamaFarmError and nothing else."""
        asked, wanted = take_handler_choice(request)
        chosen = self._context.handlers
        chain = self._served.chain(self._entry, chosen or wanted, by_operator=bool(chosen))
        lease = self._served.lease(self._entry)
        body, fields = take_handler_fields(merged(asked, self._entry, CHAT, lease.parameters), chain)
        await refuse_foreign_fields(body, CHAT, self._served.field_owners)
        session = await self._open_session(sessions)
        turn = self._turn(body, fields, session)
        trace = partial(told, turn.trace, self._served.project.secrets) if self._context.trace else None
        try:
            if session is not None:
                await session.hold()
            with telling(trace):
                reply = await self._through(chain)(turn)
        except BaseException:
            await _abandon(session, created=self._context.session == NEW_SESSION)
            raise
        release = session.release if session else None
        return TurnReply(reply, self._entry, self._context.headers, self._end, release, trace)

    def _turn(self, request: Any, fields: Mapping[str, Any], session: StoredSession | None) -> Turn:
        known = KnownModel(self._dispatcher, self._served.lease(self._entry), self._context)
        project, call = self._served.project, self._context.call(self._entry)
        sources = self._served.tool_sources
        return Turn(
            project,
            self._entry,
            request,
            call,
            session,
            fields,
            known,
            tool_sources=sources,
            ask_model=self._ask_model,
            count_texts=self._count_texts,
            describe_model=self._describe_model,
            go_through=self._go_through,
        )

    def _through(self, chain: tuple[Link, ...]) -> Ask:
        """The chain as one function: what a handler asks is the rest of the chain."""
        return _chained(chain, self._ask_provider)

    async def _go_through(self, turn: Turn, handlers: Sequence[str], prompts: Sequence[str], ask: Ask) -> Reply:
        """What `Turn.through` does."""
        links = self._served.links(turn.entry, tuple(handlers))
        turn = turn.with_messages(with_prompt_sets(turn, turn.request["messages"], prompts))
        return await _chained(links, ask)(turn)

    async def _ask_provider(self, turn: Turn) -> Reply:
        """The end of every chain: the provider of the turn's entry."""
        context = replace(self._context, deadline=turn.call.deadline, progress=turn.call.progress)
        lease = self._served.lease(turn.entry)
        turn.note("provider", provider=turn.entry.provider, model=turn.entry.model)
        reply: Reply = await self._dispatcher.ask(self._served.project, lease, CHAT, turn.request, context)
        turn.note("accepted")
        return reply

    async def _ask_model(self, operation: Operation, request: Mapping[str, Any], model: str | None) -> Any:
        """What `Turn.ask` does. The headers of such an answer are not those of the client's."""
        project = self._served.project
        entry = self._entry if model is None else project.entry(model)
        context = replace(self._context, headers={})
        lease = self._served.lease(entry)
        body = merged(request, entry, operation, lease.parameters)
        return parsed(await self._dispatcher.ask(project, lease, operation, body, context))

    async def _count_texts(self, texts: Sequence[str], model: str | None) -> list[int] | None:
        """What `Turn.count_tokens` does."""
        entry = self._entry if model is None else self._served.project.entry(model)
        context = replace(self._context, headers={})
        return await text_tokens(self._dispatcher, self._served.lease(entry), context, texts)

    async def _describe_model(self, model: str) -> ModelInfo:
        """What `Turn.describe` does."""
        lease = self._served.lease(self._served.project.entry(model))
        return await KnownModel(self._dispatcher, lease, replace(self._context, headers={})).info()

    async def _open_session(self, sessions: SessionStore | None) -> StoredSession | None:
        if self._context.session is None:
            return None
        if sessions is None:
            raise RequestError("No sessions are kept here.", param=SESSION_HEADER)
        kept = sessions.of(self._served.project.identity)
        if self._context.session == NEW_SESSION:
            session = await kept.create()
        else:
            session = await kept.open(self._context.session)
        self._context.headers[SESSION_HEADER] = session.id
        return session


def _chained(links: Sequence[Link], rest: Ask) -> Ask:
    for link in reversed(links):
        rest = _asking(link, rest)
    return rest


def _asking(link: Link, rest: Ask) -> Ask:
    async def ask(turn: Turn) -> Reply:
        with blaming(f"The agent handler {link.name!r}", PluginError):
            if not link.is_started:
                await link.start()
            return await link.handler.run(turn, rest)

    return ask


async def _abandon(session: StoredSession | None, *, created: bool) -> None:
    """Leave a session as it was before a turn that has failed: one that was created for it is gone again."""
    if session is not None:
        await (session.delete() if created else session.release())
