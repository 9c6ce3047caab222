"""How an answer is printed: the text on stdout and nothing else; what is said about it on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from llamafarm.cli.output import json_text, plain
from llamafarm.errors import LlamaFarmError
from llamafarm.providers.assemble import Assembler
from llamafarm.providers.reply import Reply
from llamafarm.wire.reading import read_completion

ENDS = {
    "length": "The answer was cut: it reached the token limit (--max-tokens).",
    "content_filter": "The answer was cut or replaced by a content filter.",
}


class Printer:
    """Prints one answer. text: what was printed of it. whole: all that came, as one object."""

    def __init__(self) -> None:
        self.text = ""
        self.whole: dict[str, Any] = {}
        self._thinking = False

    async def stream(self, reply: Reply) -> None:
        """Print the chunks as they come. Raises ProviderError, with what came before it on a line of its own."""
        assembler = Assembler()
        try:
            async for chunk in reply.chunks():
                for choice in assembler.add(chunk)["choices"][:1]:
                    self._show(choice.get("delta") or {})
        except LlamaFarmError:
            self._end_line()
            raise
        self.whole = assembler.whole()
        self._end()

    def print(self, completion: dict[str, Any]) -> None:
        """Print a completion that came in one piece."""
        self.whole = read_completion(completion)
        for choice in self.whole["choices"][:1]:
            self._show(choice["message"])
        self._end()

    def _show(self, message: Mapping[str, Any]) -> None:
        """Text goes to stdout; reasoning is shown dimly to a person who watches, and to nobody else."""
        thought = message.get("reasoning") or message.get("reasoning_content")
        if thought and sys.stderr.isatty():
            self._thinking = True
            click.echo(click.style(thought, dim=True), err=True, nl=False)
        if text := message.get("content") or message.get("refusal"):
            if self._thinking:
                self._thinking = False
                click.echo(err=True)
            self.text += text
            click.echo(text, nl=False)

    def _end(self) -> None:
        """Finish the line, and say what the text does not: calls of tools, sources, an answer that was cut."""
        self._end_line()
        choice: Mapping[str, Any] = next(iter(self.whole["choices"]), {})
        calls = choice.get("message", {}).get("tool_calls") or ()
        for call in calls:
            click.echo(json_text({"tool_call": call.get("function")}))
        print_sources(self.whole.get("sources"))
        if end := ENDS.get(choice.get("finish_reason") or ""):
            click.echo(end, err=True)
        elif not self.text and not calls:
            click.echo("The model answered with an empty text.", err=True)

    def _end_line(self) -> None:
        if self.text and not self.text.endswith("\n"):
            click.echo()


def print_sources(sources: Any) -> None:
    """Print on stderr what marks like `[1]` in the answer stand for, where a handler tells its sources beside it."""
    for source in sources if isinstance(sources, list) else ():
        if isinstance(source, Mapping) and source.get("cited"):
            page = source.get("page")
            place = [source.get("file"), page and f"page {page}", *(source.get("heading") or ())]
            click.echo(plain(f"[{source.get('number')}] {', '.join(str(part) for part in place if part)}"), err=True)


def print_usage(usage: Mapping[str, Any] | None) -> None:
    """Print token counts on stderr."""
    if not usage:
        click.echo("The runtime did not say how many tokens were used.", err=True)
        return
    prompt, answer, total = (usage.get(f"{kind}_tokens", "?") for kind in ("prompt", "completion", "total"))
    click.echo(f"{prompt} prompt tokens, {answer} answer tokens, {total} in all", err=True)


def print_trace(notes: Iterable[Mapping[str, Any]]) -> None:
    """Print on stderr what each stage of the turn said that it did, with the time since its beginning."""
    for note in notes:
        facts = " ".join(f"{key}={json_text(value)}" for key, value in note.items() if key not in ("stage", "seconds"))
        click.echo(plain(f"{note.get('seconds', 0):8.3f} s  {note.get('stage', '')}  {facts}").rstrip(), err=True)
