"""`lf chat`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.asking import Options, ask
from llamafarm.cli.question import question
from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm


@click.command()
@click.argument("words", metavar="[TEXT]", nargs=-1)
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
@click.option("--trace", is_flag=True, help="Print on stderr what each stage of the turn did, and when.")
@click.option("--curl", "as_curl", is_flag=True, help="Print the request as a curl command and send nothing.")
@click.option("--session", metavar="ID", help="Go on with a conversation that is kept; `new` begins one.")
@click.option("--continue", "-c", "last", is_flag=True, help="Go on with the last conversation that was kept.")
@click.option("--server-url", metavar="URL", help="Ask an API server instead of running the gateway here.")
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
    options = Options(stream=stream and not as_json, as_json=as_json, session=meant, **given)
    text = question(" ".join(words), tuple(app.cwd / file for file in files))
    if not text.strip():
        if as_curl or as_json or not sys.stdin.isatty():
            raise click.UsageError("Give a text: as an argument, with --file, or through a pipe.")
        from llamafarm.cli.interactive import Conversation

        Conversation(app, options).run()
        return
    request = options.request([{"role": "user", "content": text}])
    if as_curl:
        from llamafarm.cli.curl import curl

        click.echo(curl(request, server_url=options.server_url, session=meant))
        return
    asyncio.run(_ask_once(app, request, options))


async def _ask_once(app: App, request: dict[str, Any], options: Options) -> None:
    road = options.road(app)
    try:
        await ask(road, request, options, options.session)
    finally:
        await road.aclose()


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
