"""Options of `lf chat` that agent handlers bring: each sets a request field of its handler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.app import current_app

if TYPE_CHECKING:
    from llamafarm.records import ChatFlag

OPTIONS = "llamafarm.handler_options"
"""Where the context of a command keeps those that were looked for."""
FIELDS = "llamafarm.handler_fields"
"""Where the context of a command keeps the fields that such options set."""


class HandlerFlagsCommand(click.Command):
    """A command that looks for the options of agent handlers where one is typed that it does not know itself.

    All plugins are loaded for that, so a command line of its own options alone stays as fast as it was.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption:
            ctx.meta[OPTIONS] = tuple(self._handler_options(ctx))
            return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, and those of handlers where they were looked for."""
        return [*super().get_params(ctx), *ctx.meta.get(OPTIONS, ())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, and below them those of agent handlers."""
        super().format_options(ctx, formatter)
        rows = [record for option in self._handler_options(ctx) if (record := option.get_help_record(ctx))]
        if rows:
            with formatter.section("Options of agent handlers"):
                formatter.write_dl(rows)

    def _handler_options(self, ctx: click.Context) -> Iterator[click.Option]:
        """Those of all handlers that are installed; what the command has itself, or another handler, goes before."""
        taken = {name for parameter in self.params for name in parameter.opts}
        with ctx.scope(cleanup=False):
            plugins = current_app().plugins
        for spec in plugins.agent_handlers().values():
            for flag in spec.flags:
                if flag.flag not in taken:
                    taken.add(flag.flag)
                    yield _option(flag, spec.fields[flag.field])


def _option(flag: ChatFlag, kind: Any) -> click.Option:
    """The option of a flag. kind: the type of the field that it sets."""

    def remember(ctx: click.Context, _: click.Parameter, given: Any) -> None:
        if given is not None and given is not False:
            ctx.meta.setdefault(FIELDS, {})[flag.field] = _read(given, kind) if flag.value is None else flag.value

    takes_none = flag.value is not None
    return click.Option(
        [flag.flag],
        is_flag=takes_none,
        metavar=None if takes_none else flag.metavar,
        help=flag.help,
        expose_value=False,
        callback=remember,
    )


def _read(text: str, kind: Any) -> Any:
    """What stands on the command line, as the type of the field. Raises BadParameter for what it is not."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_strings(text)
    except ValidationError as error:
        raise click.BadParameter(f"{text!r}: {error.errors(include_url=False)[0]['msg']}.") from None


def handler_fields(ctx: click.Context) -> dict[str, Any]:
    """The request fields that the options of agent handlers have set on this command line."""
    fields: dict[str, Any] = ctx.meta.get(FIELDS, {})
    return fields
