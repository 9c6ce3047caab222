"""Calls of the project's tools: checked, made within their bounds, and answered, whatever happens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llamafarm
from llamafarm import all_of
from llamafarm.errors import LlamaFarmError
from llamafarm.wire import Message

from llamafarm_agents.tools.options import ToolsOptions
from llamafarm_agents.tools.server_tools import ServerTool

log = logging.getLogger(__name__)

Call = Mapping[str, Any]
"""A call as an answer has it: `id`, `function` with `name` and `arguments`."""
_AT_ONCE = 16


@dataclass(frozen=True)
class _Outcome:
    """What a call gave. source: None where no tool was called."""

    result: llamafarm.ToolResult
    source: str | None = None


class Calls:
    """Those of one turn. tools: by the names that the model calls them by. rows: what was called, for the client."""

    def __init__(self, turn: llamafarm.Turn, tools: Mapping[str, ServerTool], options: ToolsOptions) -> None:
        self.rows: list[dict[str, Any]] = []
        self.tools = tools
        self._turn = turn
        self._options = options
        self._left = options.total_timeout
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def results(self, calls: Sequence[Call]) -> list[Message]:
        """The tool messages that answer these calls, in their order; they are made side by side."""
        began = time.monotonic()
        try:
            answered = await all_of(self._answered(call, self._left) for call in calls)
        finally:
            self._left -= time.monotonic() - began
        self.rows.extend(row for _, row in answered)
        return [message for message, _ in answered]

    async def _answered(self, call: Call, left: float) -> tuple[Message, dict[str, Any]]:
        """One tool message, and what the client is told of the call."""
        name, arguments, began = call["function"]["name"], call["function"]["arguments"], time.monotonic()
        async with self._gate:
            outcome = await self._outcome(name, arguments, left - (time.monotonic() - began))
        result, seconds = outcome.result, round(time.monotonic() - began, 3)
        text, left_out = self._capped(_text_of(result))
        self._turn.note(
            "tools",
            tool=name,
            source=outcome.source,
            arguments_size=len(arguments),
            result_size=len(result.content),
            left_out=left_out,
            is_error=result.is_error,
            took=seconds,
        )
        row = {"name": name, "source": outcome.source, "ok": not result.is_error, "seconds": seconds}
        return {"role": "tool", "tool_call_id": call["id"], "content": text}, row

    async def _outcome(self, name: str, arguments: str, left: float) -> _Outcome:
        tool = self.tools.get(name)
        if tool is None:
            return _failed(f"there is no function {name!r}. There is {', '.join(self.tools)}.")
        checked = tool.check(arguments)
        if not checked.problems and not isinstance(checked.value, dict):
            return _failed("the arguments are not an object.")
        if checked.problems:
            return _failed(f"the arguments do not fit: {'; '.join(checked.problems)}")
        if left <= 0:
            return _failed("it was not called: the time for calls in this turn is used up.")
        return _Outcome(
            await self._called(tool, checked.value, min(left, self._options.call_timeout)), tool.source_name
        )

    async def _called(self, tool: ServerTool, arguments: Mapping[str, Any], seconds: float) -> llamafarm.ToolResult:
        try:
            async with asyncio.timeout(seconds):
                result = await tool.source.call(tool.tool.name, arguments)
                if not isinstance(result, llamafarm.ToolResult) or not isinstance(result.content, str):
                    raise TypeError(f"its `call` returned {type(result).__name__}")
                return result
        except TimeoutError:
            return _failed(f"no result came within {seconds:.3g} seconds.").result
        except LlamaFarmError as error:
            return _failed(error.message).result
        except Exception as error:
            log.warning("The tool source %r failed in a call", tool.source_name, exc_info=True)
            return _failed(f"the call failed: {type(error).__name__}.").result

    def _capped(self, text: str) -> tuple[str, int]:
        """A result as long as it may be, and how many characters of it are left out."""
        over = len(text) - self._options.max_result
        if over <= 0:
            return text, 0
        kept = text[: self._options.max_result]
        return f"{kept}\n[The last {over:,} of {len(text):,} characters of this result are left out.]", over


def _failed(reason: str) -> _Outcome:
    return _Outcome(llamafarm.ToolResult(reason, is_error=True))


def _text_of(result: llamafarm.ToolResult) -> str:
    """What the model reads; halves of characters, which cannot be sent, are replaced."""
    text = result.content.encode("utf-8", "replace").decode()
    return f"Error: {text}" if result.is_error else text
