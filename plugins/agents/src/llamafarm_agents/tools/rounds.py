"""A turn in which the model calls tools of the project: it is asked until it calls none of them any more."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import llamafarm
from llamafarm.errors import InvalidRequest, RequestError, UpstreamError
from llamafarm.wire import Message

from llamafarm_agents.tools.calls import Calls
from llamafarm_agents.tools.choice import once_called
from llamafarm_agents.tools.functions import name_of
from llamafarm_agents.tools.passing import Passing
from llamafarm_agents.usage import wants_usage

Remember = Callable[[Sequence[Any], list[Message]], None]
_CUT = "length"


class Rounds(llamafarm.Reply):
    """The answers of one turn as one reply.

    first: the first of them. functions: those of the client, by name. most: how often the model is asked. remember:
    told of the client's calls, and of what was called before, where no session keeps it.

    Calls of the client's functions end the turn. What the model has called beside them is made before, so that the
    conversation which comes back with the client's results is whole.
    """

    def __init__(
        self,
        turn: llamafarm.Turn,
        ask: llamafarm.Ask,
        first: llamafarm.Reply,
        calls: Calls,
        functions: Collection[str],
        most: int,
        remember: Remember | None,
    ) -> None:
        self._turn = turn
        self._ask = ask
        self._reply = first
        self._calls = calls
        self._functions = functions
        self._most = most
        self._remember = remember
        self._seen: list[Message] = []
        self._steps: list[Message] = []
        self.headers.update(first.headers)

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
        theirs = [call for call in calls if call["function"]["name"] in self._functions]
        if ours and choice.get("finish_reason") == _CUT:
            self._turn.note("tools", left_out=_names(ours), because="the answer was cut at its limit")
            return True
        if ours and not theirs and number == self._most:
            raise self._endless(ours)
        if ours:
            await self._make(ours, message.get("content"))
        if theirs and self._steps and self._remember is not None:
            self._remember(theirs, self._steps)
        return bool(theirs) or not ours

    async def _make(self, calls: list[Any], text: str | None) -> None:
        """Make calls of an answer. text: what it says beside; the client has it, and sends or keeps it with the end."""
        results = await self._calls.results(calls)
        said: Message = {"role": "assistant", "content": None, "tool_calls": calls}
        self._seen += [{**said, "content": text}, *results]
        self._steps += [said, *results]
        self._turn.keep(said, *results)

    async def _again(self, number: int) -> llamafarm.Reply:
        """Ask the model now that it has the results.

        A client that wants a call of its functions gets one: what LlamaFarm calls in between is not what it asked for.
        """
        turn = self._turn.with_messages([*self._turn.request["messages"], *self._seen])
        must_call = bool(self._functions) and turn.request.get("tool_choice") == "required"
        if number == self._most:
            return await self._last_time(turn, must_call=must_call)
        choice = "required" if must_call else once_called(turn.request.get("tool_choice"))
        return await self._ask(_with(turn, tool_choice=choice))

    async def _last_time(self, turn: llamafarm.Turn, *, must_call: bool) -> llamafarm.Reply:
        """Ask so that the turn ends: for a call of the client's functions, or for an answer without one."""
        end = "a call of the client's functions" if must_call else "an answer without a call"
        turn.note("tools", because=f"`max_rounds`: the model is asked for {end}")
        if must_call:
            theirs = [tool for tool in turn.request.get("tools") or () if name_of(tool) in self._functions]
            return await self._ask(_with(turn, tools=theirs))
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
    left_out = {name for name, value in fields.items() if value is None}
    request: Any = {name: value for name, value in {**turn.request, **fields}.items() if name not in left_out}
    return replace(turn, request=request)


def _whole(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call with all that it has to have."""
    function = call.get("function") or {}
    name, arguments = function.get("name") or "", function.get("arguments") or ""
    identifier = call.get("id") or f"call_{uuid.uuid4().hex[:24]}"
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def _names(calls: Sequence[Any]) -> list[str]:
    return [call["function"]["name"] for call in calls]
