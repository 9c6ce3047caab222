"""`lf sessions`: the conversations that are kept."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import ago, counted, json_option, json_text, print_json, print_table

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.wire.chat import Message


@click.group(cls=LazyGroup, prefix="sessions.")
def sessions() -> None:
    """Conversations that are kept: `lf chat --session new` begins one."""


@sessions.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the conversations of this project, the newest first."""
    app = current_app()
    found = app.run(lambda farm: farm.sessions.list())
    if as_json:
        print_json(found)
        return
    now = time.time()
    rows = [[row.id, f"{ago(now - row.updated)} ago", str(row.count), (row.title or "")[:60]] for row in found]
    print_table(["SESSION", "USED", "MESSAGES", "BEGINS"], rows)


@sessions.command()
@click.argument("session")
@json_option
def show(session: str, as_json: bool) -> None:
    """Print the messages of SESSION, which may be named by the beginning of its id."""
    messages = current_app().run(partial(_messages, session))
    if as_json:
        print_json(messages)
        return
    for message in messages:
        content = message.get("content") or ""
        text = content if isinstance(content, str) else json_text(content)
        click.echo(f"{click.style(message['role'], bold=True)}: {text}")
        for call in message.get("tool_calls") or ():
            click.echo(json_text({"tool_call": call}))


async def _messages(session: str, farm: Farm) -> list[Message]:
    return await farm.sessions.messages(await farm.sessions.find(session))


@sessions.command()
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete every conversation of this project.")
def rm(session: str | None, everything: bool) -> None:
    """Delete SESSION, which may be named by the beginning of its id, or all of them with --all."""
    if bool(session) == everything:
        raise click.UsageError("Name one session, or give --all.")
    click.echo(f"Deleted {current_app().run(partial(_delete, session))}.")


async def _delete(session: str | None, farm: Farm) -> str:
    if session is None:
        return counted(await farm.sessions.delete_all(), "session")
    whole = await farm.sessions.find(session)
    await farm.sessions.delete(whole)
    return whole
