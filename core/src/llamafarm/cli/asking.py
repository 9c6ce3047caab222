"""One question of `lf chat`, alone or in a conversation: its request, its road, and its answer on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from llamafarm.cli.app import App
    from llamafarm.cli.roads import Road


@dataclass(frozen=True)
class Options:
    """What the command line says about every request of this command."""

    model: str | None
    system: str | None
    temperature: float | None
    max_tokens: int | None
    stream: bool
    as_json: bool
    usage: bool
    trace: bool
    session: str | None
    server_url: str | None

    def request(self, messages: list[dict[str, Any]], *, model: str | None = None) -> dict[str, Any]:
        """Return the chat request for these messages. Only what was given is in it, so that defaults stay defaults."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        given = {
            "model": model or self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "stream": self.stream or None,
            "stream_options": {"include_usage": True} if self.usage and self.stream else None,
        }
        return {"messages": [*system, *messages], **{key: value for key, value in given.items() if value is not None}}

    def road(self, app: App) -> Road:
        """Return the road that requests of this command take."""
        from llamafarm.cli.roads import LocalRoad, RemoteRoad

        return RemoteRoad(self.server_url) if self.server_url else LocalRoad(app)


async def ask(road: Road, request: dict[str, Any], options: Options, session: str | None) -> tuple[str, str | None]:
    """Send `request`, print the answer; return its text and the id of the session, where there is one."""
    from llamafarm.cli.answer import Printer, print_trace, print_usage
    from llamafarm.cli.output import print_json
    from llamafarm.cli.progress import ProgressLine
    from llamafarm.cli.roads import Question

    with ProgressLine() as line:
        reply = await road.ask(Question(request, session, options.trace), line)
    printer = Printer()
    try:
        if options.as_json:
            print_json(await reply.completion())
        elif options.stream:
            await printer.stream(reply)
        else:
            printer.print(await reply.completion())
    finally:
        await reply.aclose()
    if options.trace:
        print_trace(printer.whole)
    if options.usage and not options.as_json:
        print_usage(printer.whole.get("usage"))
    kept = {name.lower(): value for name, value in reply.headers.items()}.get("x-session-id")
    if session == "new" and kept:
        click.echo(f"Session {kept}: `lf chat --session {kept}` goes on with it, `lf chat -c` with the last.", err=True)
    return printer.text, kept
