"""A click group that knows its commands by name and imports each one only when it runs."""

from __future__ import annotations

import pkgutil
import shlex
from collections.abc import Mapping
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
    """Commands of ours and, behind them, those of plugins, which are shown from their metadata.

    rows: those of ours that are imported only when they are called. elsewhere: what people type who know other
    programs, and the command that does it here. prefix: what the names of the plugins' entry points begin with,
    `plugins.` for those of `lf plugins`.
    """

    def __init__(
        self,
        *args: Any,
        rows: Mapping[str, Row] | None = None,
        elsewhere: Mapping[str, str] | None = None,
        prefix: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows or {}
        self.elsewhere = elsewhere or {}
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        own = [*self.rows, *self.commands]  # as they were written, not sorted
        return [*own, *sorted(self._added().keys() - set(own))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.rows:
            return with_common_options(pkgutil.resolve_name(self.rows[cmd_name].target))
        if cmd_name not in self.commands and cmd_name in self._added():
            return with_common_options(_load_plugin(cmd_name, self._added()[cmd_name]))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            self._refuse(ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Our commands as they were written, and below them those of plugins, with where they come from."""
        own = {name: row.help for name, row in self.rows.items()}
        own |= {name: command.get_short_help_str(100) for name, command in self.commands.items()}
        if own:
            with formatter.section("Commands"):
                formatter.write_dl(list(own.items()))
        hidden = f"; `{ctx.command_path}` has a command of its own with this name"
        added = [
            (name, f"from {_origin(found)}{hidden if name in own else ''}")
            for name, found in sorted(self._added().items())
        ]
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(added)

    def _refuse(self, ctx: click.Context, name: str) -> None:
        """Raise PluginError for a command that an official plugin brings, else UsageError with the names near it."""
        import difflib

        from llamafarm.errors import PluginError
        from llamafarm.plugins import catalogue

        if remedy := catalogue.remedy("command", self._prefix + name):
            raise PluginError(f"The command `{ctx.command_path} {name}` is not installed.", hint=remedy)
        near = difflib.get_close_matches(name, self.list_commands(ctx), n=2)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        if name in self.elsewhere:
            hint = f" `{self.elsewhere[name]}` does that."
        elif any(map(str.isspace, name)):
            hint = f" `lf chat {shlex.quote(name)}` asks a model."
        raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)

    def _added(self) -> dict[str, tuple[Candidate, ...]]:
        """The commands that plugins add to this group, by the name that a user types."""
        added = {}
        for name, found in plugin_commands().items():
            group, dot, command = name.rpartition(".")
            if group + dot == self._prefix:
                added[command] = found
        return added


@cache
def plugin_commands() -> dict[str, tuple[Candidate, ...]]:
    """The commands that plugins add, from their metadata alone, by the name of the entry point.

    Two of one name are in conflict. `NAME` is a command of `lf`, `GROUP.NAME` one of `lf GROUP`.
    """
    from llamafarm.plugins.discovery import candidates

    found = candidates(COMMANDS_GROUP)
    return {one.name: tuple(other for other in found if other.name == one.name) for one in found}


def _origin(found: tuple[Candidate, ...]) -> str:
    return " and ".join(one.origin for one in found)


def _load_plugin(name: str, found: tuple[Candidate, ...]) -> click.Command:
    from llamafarm.errors import PluginError
    from llamafarm.plugins import trace

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
    command.params.extend(option for option in _common_options() if not taken.intersection(option.opts))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            with_common_options(child)
    return command


def _common_options() -> list[click.Option]:
    def option(name: str, **given: Any) -> click.Option:
        return click.Option([f"--{name}"], expose_value=False, callback=_remember, **given)

    folder = click.Path(path_type=Path, file_okay=False, exists=True)
    return [
        option("config", type=click.Path(path_type=Path), metavar="FILE", help="The llamafarm.yaml to use."),
        option("cwd", type=folder, metavar="DIR", help="Work as if started in DIR."),
        option("debug", is_flag=True, help="Show tracebacks and more of what happens."),
    ]


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and parameter.name:
        ctx.find_root().ensure_object(dict)[parameter.name] = value
