"""How an answer is printed: the text on stdout and nothing else; what is said about it on stderr."""

from __future__ import annotations

import sys
from typing import Any

import click

from llamafarm.cli.output import json_text
from llamafarm.errors import LlamaFarmError
from llamafarm.providers.reply import Reply
from llamafarm.wire.chat import Usage


class Printer:
    """Prints one answer and remembers its text, its usage and why it ended."""

    def __init__(self) -> None:
        self.text = ""
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self._calls: dict[int, dict[str, str]] = {}
        self._thinking = False

    async def stream(self, reply: Reply) -> None:
        """Print the chunks as they come. Raises ProviderError, with what came before it on a line of its own."""
        try:
            async for chunk in reply.chunks():
                self.usage = chunk.get("usage") or self.usage
                for choice in chunk["choices"][:1]:
                    self.finish_reason = choice.get("finish_reason") or self.finish_reason
                    self._delta(choice.get("delta", {}))
        except LlamaFarmError:
            self._end_line()
            raise
        self._end()

    def whole(self, completion: dict[str, Any]) -> None:
        """Print a completion that came in one piece."""
        self.usage = completion.get("usage")
        choice = completion["choices"][0]
        self.finish_reason = choice.get("finish_reason")
        calls = choice["message"].get("tool_calls") or []
        self._delta({**choice["message"], "tool_calls": [{**call, "index": i} for i, call in enumerate(calls)]})
        self._end()

    def _delta(self, delta: dict[str, Any]) -> None:
        self._think(delta.get("reasoning") or delta.get("reasoning_content") or "")
        self._print(delta.get("content") or delta.get("refusal") or "")
        for call in delta.get("tool_calls") or []:
            known = self._calls.setdefault(call["index"], {"name": "", "arguments": ""})
            known["name"] += call.get("function", {}).get("name") or ""
            known["arguments"] += call.get("function", {}).get("arguments") or ""

    def _think(self, text: str) -> None:
        """Reasoning is shown dimly to a person who watches, and to nobody else."""
        if text and sys.stderr.isatty():
            self._thinking = True
            click.echo(click.style(text, dim=True), err=True, nl=False)

    def _print(self, text: str) -> None:
        if text and self._thinking:
            self._thinking = False
            click.echo(err=True)
        if text:
            self.text += text
            click.echo(text, nl=False)

    def _end(self) -> None:
        """Finish the line, and say what the text does not: calls of tools, an answer that was cut."""
        self._end_line()
        for call in self._calls.values():
            click.echo(json_text({"tool_call": call}))
        if self.finish_reason == "length":
            click.echo("The answer was cut: it reached the token limit (--max-tokens).", err=True)
        elif self.finish_reason == "content_filter":
            click.echo("The answer was cut by the runtime's content filter.", err=True)
        elif not self.text and not self._calls:
            click.echo("The model answered with an empty text.", err=True)

    def _end_line(self) -> None:
        if self.text and not self.text.endswith("\n"):
            click.echo()


def print_usage(usage: Usage | None) -> None:
    """Print token counts on stderr."""
    if usage is None:
        click.echo("The runtime did not say how many tokens were used.", err=True)
        return
    click.echo(
        f"{usage['prompt_tokens']} prompt tokens, {usage['completion_tokens']} answer tokens, "
        f"{usage['total_tokens']} in all",
        err=True,
    )
