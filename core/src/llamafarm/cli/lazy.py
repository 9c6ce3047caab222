"""A click group that knows its commands by name and imports each one only when it runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from llamafarm.plugins.discovery import Candidate

COMMANDS_GROUP = "llamafarm.commands"


class Row(NamedTuple):
    """A command of ours: where it stands, and the line that `lf --help` shows for it."""

    target: str
    help: str


class LazyGroup(click.Group):
    """Shows its commands from a table, and imports one only when it is called."""

    def __init__(self, *args: Any, rows: dict[str, Row] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows or {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click's signature
        return with_common_options(_load(self.rows[cmd_name].target)) if cmd_name in self.rows else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        self._suggest(ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.help) for name, row in self.rows.items()])

    def _suggest(self, ctx: click.Context, name: str) -> None:
        import difflib

        if name.startswith("-") or name in self.list_commands(ctx):
            return
        near = difflib.get_close_matches(name, self.list_commands(ctx), n=2)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)


class PluginGroup(LazyGroup):
    """A lazy group with the commands of plugins behind its own, shown from their metadata."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(name for name in plugin_commands() if name not in self.rows)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in plugin_commands():
            return own
        return with_common_options(_load_plugin(cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        hidden = "; `lf` has a command of its own with this name"
        extra = [
            (name, f"from {_origin(found)}{hidden if name in self.rows else ''}")
            for name, found in sorted(plugin_commands().items())
        ]
        if extra:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(extra)


@cache
def plugin_commands() -> dict[str, tuple[Candidate, ...]]:
    """The commands that plugins add, from their metadata alone; two of one name are in conflict."""
    from llamafarm.plugins.discovery import candidates

    found = candidates(COMMANDS_GROUP)
    return {one.name: tuple(other for other in found if other.name == one.name) for one in found}


def _origin(found: tuple[Candidate, ...]) -> str:
    return " and ".join(one.origin for one in found)


def _load(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


def _load_plugin(name: str) -> click.Command:
    from llamafarm.errors import PluginError
    from llamafarm.plugins import trace

    found = plugin_commands()[name]
    if len(found) > 1:
        raise PluginError(f"The command {name!r} is brought by {_origin(found)}.", hint="Uninstall one of them.")
    try:
        if why := found[0].incompatibility:
            raise PluginError(why)
        with trace.step(f"import {found[0].target}"):
            command: click.Command = found[0].entry_point.load()
    except (Exception, SystemExit) as error:
        cause = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        raise PluginError(
            f"The command {name!r} of {_origin(found)} cannot be loaded: {cause}",
            hint="`lf plugins list` shows the plugins that are installed.",
        ) from error
    return command


def with_common_options(command: click.Command) -> click.Command:
    """Let `--config`, `--cwd` and `--debug` stand behind the command too, not only before it."""
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(option for option in common_options() if not taken.intersection(option.opts))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            with_common_options(child)
    return command


def common_options() -> list[click.Option]:
    """The options that every command takes."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_remember("config"),
            metavar="FILE",
            help="The llamafarm.yaml to use.",
        ),
        click.Option(
            ["--cwd"],
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            expose_value=False,
            callback=_remember("cwd"),
            metavar="DIR",
            help="Work as if started in DIR.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_remember("debug"),
            help="Show tracebacks and more of what happens.",
        ),
    ]


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        settings = ctx.find_root().ensure_object(dict)
        if value:
            settings[key] = value

    return remember
