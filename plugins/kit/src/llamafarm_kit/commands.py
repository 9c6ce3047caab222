"""`lf plugins new` and `lf plugins check`, which `lf` finds by their entry points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from llamafarm.cli import print_table
from llamafarm.cli.app import current_app
from llamafarm.plugins import catalogue
from llamafarm.plugins.discovery import candidates

if TYPE_CHECKING:
    from llamafarm_kit.scaffold.write import Part

INSTALL = 'pip install -e ".[test]"'
CHECKS = {
    "lf plugins list": "your plugin is there, and active",
    "pytest": "it keeps LlamaFarm's contracts",
    "lf config validate": "llamafarm.yaml names it",
}
"""What comes between installing the plugin and the first chat, and what each command says."""


@click.command()
@click.argument("name")
@click.option("--provider", is_flag=True, help="It talks to a kind of runtime (what it is without these options).")
@click.option("--handler", is_flag=True, help="It is an agent handler: it stands between the user and the model.")
@click.option("--both", is_flag=True, help="It is both.")
@click.option(
    "--path", type=click.Path(path_type=Path), metavar="DIR", help="Where to write it; `llamafarm-NAME` by default."
)
def new(name: str, provider: bool, handler: bool, both: bool, path: Path | None) -> None:
    """Write a plugin called NAME, complete, to begin with.

    It installs, passes its tests, and is there to be changed. Nothing is overwritten: DIR is a new or an empty folder.
    """
    from llamafarm_kit.scaffold.names import named
    from llamafarm_kit.scaffold.write import write_plugin

    parts: list[Part] = []
    if provider or both or not handler:
        parts.append("provider")
    if handler or both:
        parts.append("handler")
    names = named(name)
    app = current_app()
    folder = app.cwd / (path or names.distribution)
    for written in write_plugin(names, parts, folder):
        click.echo(f"Wrote {_near(written, app.cwd)}")
    click.echo()
    _print_next_steps(parts, _near(folder, app.cwd))


@click.command()
@click.option("--timeout", default=20.0, show_default=True, help="Seconds that each plugin may take.")
def check(timeout: float) -> None:
    """Load each plugin in a process of its own, with a time limit. Exit code 1 where one fails."""
    from llamafarm_kit.check import check_all

    results = check_all(current_app().plugins, timeout=timeout)
    rows = [[row.name, row.distribution, row.version, row.status, row.cause or ""] for row in results]
    print_table(["PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", ""], rows)
    if any(result.status not in ("active", "disabled") for result in results):
        raise click.exceptions.Exit(1)


def _print_next_steps(parts: list[Part], folder: Path) -> None:
    """What leads to the first chat; README.md of the plugin says it too."""
    commands = {f"cd {_quoted(folder)}": "", INSTALL: "into the environment of this `lf`", **CHECKS}
    if "provider" not in parts and not any(plugin.name == "openai" for plugin in candidates()):
        commands = {catalogue.pip_command("llamafarm-openai-compat"): "what llamafarm.yaml asks through", **commands}
    if "provider" in parts:
        commands['lf chat "Hello."'] = "once a server answers at `base_url` of llamafarm.yaml"
    if "handler" in parts:
        commands['lf chat "ping"'] = "your handler answers"
    width = max(map(len, commands))
    click.echo("What to do next:")
    for command, note in commands.items():
        click.echo(f"  {command.ljust(width)}  # {note}" if note else f"  {command}")


def _near(path: Path, cwd: Path) -> Path:
    """A path as it is shown: below the folder of the command, from there."""
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
