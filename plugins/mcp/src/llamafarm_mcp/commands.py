"""`lf mcp`: the servers of a project and their tools."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from llamafarm import ToolSource
from llamafarm.cli import open_farm, plain, print_json
from llamafarm.errors import LlamaFarmError, UsageError

if TYPE_CHECKING:
    from llamafarm.project import Project


@click.command()
@click.argument("name", metavar="[SERVER]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the whole schemas of the tools.")
def mcp(name: str | None, as_json: bool) -> int:
    """Connect to the MCP servers of this project, or to SERVER alone, and list their tools.

    Exit code 1 where one cannot be reached.
    """
    return asyncio.run(_listed(name, as_json=as_json))


async def _listed(name: str | None, *, as_json: bool) -> int:
    async with open_farm() as farm:
        names = _names(farm.project, name)
        rows = await asyncio.gather(*(_row(farm.project, server) for server in names))
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    return 1 if any("error" in row for row in rows) else 0


def _names(project: Project, wanted: str | None) -> list[str]:
    from llamafarm_mcp.plugin import servers_of

    names = list(servers_of(project).root)
    if wanted is None and names:
        return names
    if wanted in names:
        return [wanted]
    message = f"There is no MCP server {wanted!r} in this project." if wanted else "This project has no MCP servers."
    hint = f"Servers: {', '.join(names)}." if names else "Declare some under `mcp_servers` in llamafarm.yaml."
    raise UsageError(message, hint=hint)


async def _row(project: Project, name: str) -> dict[str, Any]:
    """A server with its tools, or with the error that it gives."""
    from llamafarm_mcp.plugin import connect

    source: ToolSource = connect(project, name)
    try:
        return {"name": name, "tools": [asdict(tool) for tool in await source.list()]}
    except LlamaFarmError as error:
        return {"name": name, "error": str(error)}
    finally:
        await source.aclose()


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "error" in row:
            click.echo(f"{row['name']}: {plain(row['error'])}", err=True)
            continue
        click.echo(f"{row['name']}: tools: {len(row['tools'])}")
        for tool in row["tools"]:
            description, *_ = tool["description"].strip().splitlines() or [""]
            click.echo(plain(f"  {tool['name']}  {description}").rstrip())
