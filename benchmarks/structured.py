"""What does the handler `structured` cost an answer that the runtime itself holds to its schema?

The same streamed answer of many chunks is read through the gateway, with the handler and without it, in turns. The
provider plays it from memory, so that all that is measured is LlamaFarm's own. Budget: a millisecond for each answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import aclosing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import llamafarm
from llamafarm.config import load_project
from llamafarm.gateway import Context, Gateway
from llamafarm.wire import CHAT, sse
from llamafarm_agents.structured.plugin import register_agent_handlers
from llamafarm_kit.testing import ScriptedPlugins, ScriptedProvider, ScriptedReply

BUDGET_MS = 1.0
PEOPLE = {
    "type": "object",
    "properties": {
        "people": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
                "required": ["name", "age"],
            },
        }
    },
    "required": ["people"],
}
CONFIG = """
runtime:
  models:
    - {name: plain, provider: scripted, model: cow}
    - {name: held, provider: scripted, model: cow, handler: structured}
"""


class Holding(ScriptedProvider):
    """Holds answers to schemas, as it says."""

    async def describe(self, model: str) -> llamafarm.ModelInfo:
        return llamafarm.ModelInfo(model, structured="json_schema")


def frames(tokens: int) -> list[bytes]:
    """An answer in so many chunks."""
    text = json.dumps({"people": [{"name": f"Ada {number}", "age": number} for number in range(tokens // 8)]})
    size = max(1, len(text) // tokens)
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    head: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [*(sse.encode({**head, "choices": [choice]}) for choice in choices), sse.DONE]


async def measure(tokens: int, rounds: int) -> dict[str, float]:
    """Milliseconds of one answer, for each entry."""
    played = frames(tokens)
    provider = Holding(lambda _: ScriptedReply(frames=played))
    plugins: Any = ScriptedPlugins(provider, handlers=(*register_agent_handlers(),))
    with TemporaryDirectory() as folder:
        config = Path(folder) / "llamafarm.yaml"
        config.write_text(CONFIG)
        project = load_project(config, plugins)
    schema = {"type": "json_schema", "json_schema": {"name": "people", "schema": PEOPLE}}
    request = {"messages": [{"role": "user", "content": "Who?"}], "stream": True, "response_format": schema}
    taken: dict[str, list[float]] = {"plain": [], "held": []}
    gateway = Gateway(plugins)
    for _ in range(rounds + 1):
        for model, times in taken.items():
            began = time.perf_counter()
            reply = await gateway.ask(project, CHAT, {**request, "model": model}, Context("r"))
            async with aclosing(reply.frames()) as sent:
                async for _frame in sent:
                    pass
            await reply.aclose()
            times.append((time.perf_counter() - began) * 1000)
    await gateway.aclose()
    return {model: median(times[1:]) for model, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, default=200, help="chunks of one answer")
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    taken = asyncio.run(measure(given.tokens, given.rounds))
    added = taken["held"] - taken["plain"]
    print(f"{given.tokens} chunks: plain {taken['plain']:.2f} ms, held {taken['held']:.2f} ms: {added:.2f} ms added")
    if added > BUDGET_MS:
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
