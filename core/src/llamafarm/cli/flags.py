"""Options of `lf chat` that agent handlers bring: each sets a request field of its handler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from llamafarm.cli.added_options import AddedOptionsCommand

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.records import ChatFlag

FIELDS = "llamafarm.handler_fields"
"""Where the context of a command keeps the fields that such options set."""


class HandlerFlagsCommand(AddedOptionsCommand):
    """A command with the options that agent handlers bring."""

    title = "Options of agent handlers"

    def added_options(self, plugins: PluginManager) -> Iterator[click.Option]:
        for spec in plugins.agent_handlers().values():
            for flag in spec.flags:
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
