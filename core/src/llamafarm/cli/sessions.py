"""`lf sessions`: the conversations that are kept."""

from __future__ import annotations

import asyncio
import time

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.lazy import PluginGroup
from llamafarm.cli.output import ago, print_json, print_table


@click.group(cls=PluginGroup, prefix="sessions.")
def sessions() -> None:
    """Conversations that are kept: `lf chat --session new` begins one."""


@sessions.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the conversations of this project, the newest first."""
    app = current_app()
    found = asyncio.run(app.sessions.list(_key()))
    if as_json:
        from dataclasses import asdict

        print_json([asdict(row) for row in found])
        return
    now = time.time()
    rows = [[row.id, f"{ago(now - row.updated)} ago", str(row.count), (row.title or "")[:60]] for row in found]
    print_table(["SESSION", "USED", "MESSAGES", "BEGINS"], rows)


@sessions.command()
@click.argument("session")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(session: str, as_json: bool) -> None:
    """Print the messages of SESSION."""
    messages = asyncio.run(current_app().sessions.messages(_key(), session))
    if as_json:
        print_json(messages)
        return
    for message in messages:
        click.echo(f"{click.style(message['role'], bold=True)}: {message.get('content') or ''}")


@sessions.command()
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete every conversation of this project.")
def rm(session: str | None, everything: bool) -> None:
    """Delete SESSION, or all of them with --all."""
    if bool(session) == everything:
        raise click.UsageError("Name one session, or give --all.")
    store = current_app().sessions
    if session:
        asyncio.run(store.delete(_key(), session))
        click.echo(f"Deleted {session}.")
    else:
        click.echo(f"Deleted {asyncio.run(store.delete_all(_key()))} sessions.")


def _key() -> str:
    project = current_app().project
    return f"{project.namespace}/{project.name}"
