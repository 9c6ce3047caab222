"""`lf chat`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.question import question

if TYPE_CHECKING:
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


@click.command()
@click.argument("text", required=False)
@click.option("--model", "-m", metavar="NAME", help="The model entry to ask.")
@click.option(
    "--file", "-f", "files", multiple=True, type=click.Path(path_type=Path), help="Add the text of FILE; repeatable."
)
@click.option("--system", "-s", metavar="TEXT", help="A system message.")
@click.option("--temperature", "-t", type=click.FloatRange(0, 2), help="0 is the likeliest answer, higher is freer.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, in tokens.")
@click.option("--stream/--no-stream", default=True, help="Print the answer as it comes (default), or at its end.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as JSON.")
@click.option("--usage", is_flag=True, help="Print token counts on stderr.")
@click.option("--curl", "as_curl", is_flag=True, help="Print the request as a curl command and send nothing.")
@click.option("--session", metavar="ID", help="Go on with a conversation that is kept; `new` begins one.")
@click.option("--server-url", metavar="URL", help="Ask an API server instead of running the gateway here.")
def chat(text: str | None, files: tuple[Path, ...], stream: bool, as_json: bool, as_curl: bool, **given: Any) -> None:
    """Ask a model TEXT and print its answer. A pipe and files are added to it; with none of them, talk to the model.

    \b
    lf chat "What is LlamaFarm?"
    cat notes.md | lf chat "Summarise this"
    """
    app = current_app()
    options = Options(stream=stream and not as_json, as_json=as_json, **given)
    asked = question(text, tuple(app.cwd / file for file in files))
    if not asked.strip():
        _interactive(app, options, as_curl=as_curl)
        return
    request = options.request([{"role": "user", "content": asked}])
    if as_curl:
        from llamafarm.cli.curl import curl

        click.echo(curl(request, server_url=options.server_url, session=options.session))
        return
    asyncio.run(_once(road(app, options), request, options))


def road(app: App, options: Options) -> Road:
    """Return the road that requests of this command take."""
    from llamafarm.cli.roads import LocalRoad, RemoteRoad

    return RemoteRoad(options.server_url) if options.server_url else LocalRoad(app)


async def _once(way: Road, request: dict[str, Any], options: Options) -> None:
    try:
        await send(way, request, options, options.session)
    finally:
        await way.aclose()


async def send(way: Road, request: dict[str, Any], options: Options, session: str | None) -> tuple[str, str | None]:
    """Send `request`, print the answer; return its text and the id of the session, where there is one."""
    from llamafarm.cli.answer import Printer, print_usage
    from llamafarm.cli.output import print_json
    from llamafarm.cli.progress import ProgressLine

    line = ProgressLine()
    try:
        reply = await way.ask(request, session, line)
    finally:
        line.clear()
    printer = Printer()
    try:
        if options.as_json:
            print_json(await reply.completion())
        elif options.stream:
            await printer.stream(reply)
        else:
            printer.whole(await reply.completion())
    finally:
        await reply.aclose()
    if options.usage and not options.as_json:
        print_usage(printer.usage)
    kept = {name.lower(): value for name, value in reply.headers.items()}.get("x-session-id")
    if session == "new" and kept:
        click.echo(f"Session {kept}: `lf chat --session {kept}` goes on with it.", err=True)
    return printer.text, kept


def _interactive(app: App, options: Options, *, as_curl: bool) -> None:
    if as_curl or options.as_json or not sys.stdin.isatty():
        raise click.UsageError("Give a text: as an argument, with --file, or through a pipe.")
    from llamafarm.cli.interactive import Conversation

    Conversation(app, options).run()
