"""A turn in which the model calls tools of the project: it is asked until it calls none of them any more."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import llamafarm
from llamafarm.errors import InvalidRequest, RequestError, UpstreamError
from llamafarm.wire import Message

from llamafarm_agents.tools.calls import Calls
from llamafarm_agents.tools.choice import once_called
from llamafarm_agents.tools.memory import Memory
from llamafarm_agents.tools.passing import Passing
from llamafarm_agents.usage import wants_usage

_CUT = "length"


class Rounds(llamafarm.Reply):
    """The answers of one turn as one reply. first: the first of them. functions: those of the client, by name.

    Calls of the client's functions end the turn. What the model has called beside them is made before, and stands
    before them in the session, or in `memory`: the conversation that comes back with the client's results is whole.
    """

    def __init__(
        self,
        turn: llamafarm.Turn,
        ask: llamafarm.Ask,
        first: llamafarm.Reply,
        calls: Calls,
        functions: Collection[str],
        most: int,
    ) -> None:
        self._turn = turn
        self._ask = ask
        self._reply = first
        self._calls = calls
        self._functions = functions
        self._most = most
        self._steps: list[Message] = []
        self.headers.update(first.headers)
        self.kept: tuple[list[Message], Memory] | None = None

    async def chunks(self) -> AsyncGenerator[Any, None]:
        passing = Passing(self._functions)
        for number in range(1, self._most + 1):
            answer = passing.begin()
            async with aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    if (shown := passing.shown(chunk)) is not None:
                        yield shown
            await self._reply.aclose()
            passing.end()
            if await self._is_last(await answer.choice(), number):
                break
            self._reply = await self._again(number + 1)
        for chunk in passing.ending(usage=wants_usage(self._turn) or not self._turn.request.get("stream")):
            yield chunk

    async def aclose(self) -> None:
        await self._reply.aclose()

    async def _chunks(self) -> AsyncGenerator[Any, None]:
        """Those of the answer that is there now; of a whole one, with its usage."""
        reply = self._reply
        if not self._turn.request.get("stream"):
            reply = llamafarm.JsonReply(await reply.completion(), usage=True)
        async with aclosing(reply.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _is_last(self, choice: Mapping[str, Any], number: int) -> bool:
        """Make the calls in an answer; whether the turn ends with it. Raises UpstreamError at the bound."""
        message = choice.get("message") or {}
        calls: list[Any] = [_whole(call) for call in message.get("tool_calls") or ()]
        ours = [call for call in calls if call["function"]["name"] not in self._functions]
        if ours and choice.get("finish_reason") == _CUT:
            self._turn.note("tools", left_out=_names(ours), because="the answer was cut at its limit")
            return True
        if ours and number == self._most:
            raise self._endless(ours)
        if ours:
            results = await self._calls.results(ours)
            said: Message = {"role": "assistant", "content": None, "tool_calls": ours}
            self._steps += [said, *results]
            self._turn.keep(said, *results)
        theirs = [call for call in calls if call not in ours]
        if theirs and self._steps and self.kept is not None:
            conversation, memory = self.kept
            memory.keep(conversation, theirs, self._steps)
        return bool(theirs) or not ours

    async def _again(self, number: int) -> llamafarm.Reply:
        """Ask the model now that it has the results; the last time, it has to answer."""
        turn = self._turn.with_messages([*self._turn.request["messages"], *self._steps])
        if number < self._most:
            return await self._ask(_with(turn, tool_choice=once_called(turn.request.get("tool_choice"))))
        turn.note("tools", round=number, because="`max_rounds`: the model has to answer without a call")
        try:
            return await self._ask(_with(turn, tool_choice="none"))
        except (RequestError, InvalidRequest) as error:
            if error.param != "tool_choice":
                raise
            return await self._ask(_with(turn, tool_choice=None, tools=None, parallel_tool_calls=None))

    def _endless(self, calls: Sequence[Any]) -> UpstreamError:
        return UpstreamError(
            f"The model {self._turn.entry.name!r} has been asked {self._most} times in this turn, and still calls "
            f"{', '.join(_names(calls))} where it has to answer.",
            provider=self._turn.entry.provider,
            hint="`max_rounds` of the agent handler 'tools' lets it be asked more often.",
            code="too_many_tool_rounds",
        )


def _with(turn: llamafarm.Turn, **fields: Any) -> llamafarm.Turn:
    """The turn with these fields in its request; without those that are None."""
    request: Any = {
        name: value for name, value in {**turn.request, **fields}.items() if fields.get(name, 0) is not None
    }
    return replace(turn, request=request)


def _whole(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call with all that it has to have."""
    function = call.get("function") or {}
    name, arguments = function.get("name") or "", function.get("arguments") or ""
    identifier = call.get("id") or f"call_{uuid.uuid4().hex[:24]}"
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def _names(calls: Sequence[Any]) -> list[str]:
    return [call["function"]["name"] for call in calls]
