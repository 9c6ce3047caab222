"""`lf chat`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.attachments import content
from llamafarm.cli.flags import HandlerFlagsCommand, handler_fields
from llamafarm.cli.output import print_json, server_url_option
from llamafarm.errors import LlamaFarmError, UsageError

if TYPE_CHECKING:
    from llamafarm.cli.answer import Printer
    from llamafarm.cli.remote import RemoteFarm
    from llamafarm.farm.farm import Farm
    from llamafarm.providers.reply import Reply


def _given(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} has no `=`: write NAME=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


handlers_option = click.option(
    "--handler",
    "handlers",
    metavar="NAME",
    multiple=True,
    help="Go through this agent handler in place of the model's own; repeatable, the outermost first.",
)
variables_option = click.option(
    "--var",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_given,
    help="The value of a {{variable}} in the prompts; repeatable.",
)


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
    handlers: tuple[str, ...]
    variables: dict[str, str]
    session: str | None
    server_url: str | None
    fields: dict[str, Any] = field(default_factory=dict)

    def request(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The chat request for these messages. Only what was given is in it, so that defaults stay defaults."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        given = {
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "stream": self.stream or None,
            "stream_options": {"include_usage": True} if self.usage and self.stream else None,
            "variables": self.variables or None,
        }
        given = {key: value for key, value in given.items() if value is not None}
        return {"messages": [*system, *messages], **given, **self.fields}


@click.command(cls=HandlerFlagsCommand)
@click.argument("words", metavar="[TEXT]", nargs=-1)
@click.option("--model", "-m", metavar="NAME", help="The model entry to ask.")
@click.option(
    "--file",
    "-f",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Add the text of FILE, or a picture, recording or film; repeatable.",
)
@click.option("--system", "-s", metavar="TEXT", help="A system message.")
@click.option("--temperature", "-t", type=click.FloatRange(0, 2), help="0 is the likeliest answer, higher is freer.")
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, in tokens.")
@click.option("--stream/--no-stream", default=True, help="Print the answer as it comes (default), or at its end.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as JSON.")
@click.option("--usage", is_flag=True, help="Print token counts on stderr.")
@click.option("--trace", is_flag=True, help="Print on stderr what each stage of the turn did, and when.")
@handlers_option
@variables_option
@click.option("--curl", "as_curl", is_flag=True, help="Print the request as a curl command and send nothing.")
@click.option("--session", metavar="ID", help="Go on with a conversation that is kept; `new` begins one.")
@click.option("--continue", "-c", "last", is_flag=True, help="Go on with the last conversation that was kept.")
@server_url_option
def chat(
    words: tuple[str, ...],
    files: tuple[Path, ...],
    stream: bool,
    as_json: bool,
    as_curl: bool,
    session: str | None,
    last: bool,
    **given: Any,
) -> None:
    """Ask a model TEXT and print its answer. A pipe and files are added to it; with none of them, talk to the model.

    \b
    lf chat "What is LlamaFarm?"
    cat notes.md | lf chat "Summarise this"
    """
    app = current_app()
    meant = _session(app, session, last=last, at_server=given["server_url"] is not None)
    fields = handler_fields(click.get_current_context())
    options = Options(stream=stream and not as_json, as_json=as_json, session=meant, fields=fields, **given)
    asked = content(" ".join(words), [app.cwd / file for file in files])
    if not (asked if isinstance(asked, list) else asked.strip()):
        if as_curl or as_json or not sys.stdin.isatty():
            raise click.UsageError("Give a text: as an argument, with --file, or through a pipe.")
        from llamafarm.cli.interactive import Conversation

        Conversation(app, options).run()
        return
    request = options.request([{"role": "user", "content": asked}])
    if as_curl:
        from llamafarm.cli.remote import choosing, curl

        click.echo(curl(choosing(request, options.handlers), server_url=options.server_url, session=meant))
        return
    asyncio.run(ask_once(app, request, options))


async def ask_once(app: App, request: dict[str, Any], options: Options) -> None:
    async with app.opened(options.server_url) as farm:
        await ask(farm, request, options, options.session)


async def ask(
    farm: Farm | RemoteFarm, request: dict[str, Any], options: Options, session: str | None
) -> tuple[str, str | None]:
    """Send `request`, print the answer; return its text and the id of the session, where there is one."""
    from llamafarm.cli.answer import Printer, print_trace, print_usage
    from llamafarm.cli.progress import ProgressLine
    from llamafarm.wire.operations import CHAT

    chosen: dict[str, Any] = {"session": session, "trace": options.trace, "handlers": options.handlers}
    printer = Printer()
    try:
        with ProgressLine() as line:
            reply = await farm.ask(CHAT, request, progress=line, **chosen)
        async with aclosing(reply):
            await _print(reply, printer, options)
    except LlamaFarmError as error:
        print_trace(error.trace)
        raise
    if options.trace:
        print_trace((printer.whole.get("llamafarm") or {}).get("trace") or ())
    if options.usage and not options.as_json:
        print_usage(printer.whole.get("usage"))
    kept = {name.lower(): value for name, value in reply.headers.items()}.get("x-session-id")
    if session == "new" and kept:
        click.echo(f"Session {kept}: `lf chat --session {kept}` goes on with it, `lf chat -c` with the last.", err=True)
    return printer.text, kept


async def _print(reply: Reply, printer: Printer, options: Options) -> None:
    if options.as_json:
        print_json(await reply.completion())
    elif options.stream:
        await printer.stream(reply)
    else:
        printer.print(await reply.completion())


def _session(app: App, session: str | None, *, last: bool, at_server: bool) -> str | None:
    """The session that is meant: `new`, a whole id for a beginning, or the last. Raises UsageError where none is."""
    if last and (session or at_server):
        raise click.UsageError(
            "--continue is the last conversation of this project: leave --session away."
            if session
            else "A server does not tell whose conversation was the last: name it with --session."
        )
    if at_server or not (last or session) or session == "new":
        return session
    return app.run(_last_session if session is None else lambda farm: farm.sessions.find(session))


async def _last_session(farm: Farm) -> str:
    kept = await farm.sessions.list()
    if not kept:
        raise UsageError("No conversation of this project is kept.", hint="`lf chat --session new` begins one.")
    return kept[0].id
