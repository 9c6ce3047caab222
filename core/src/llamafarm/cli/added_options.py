"""Commands of ours to which plugins add options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

import click

from llamafarm.cli.app import current_app

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

OPTIONS = "llamafarm.added_options"
"""Where the context of a command keeps those that were looked for."""


class AddedOptionsCommand(click.Command):
    """A command that looks for the options of plugins where one is typed that it does not know itself.

    All plugins are loaded for that, so a command line of its own options alone stays as fast as it was. title: what
    stands above them in the help.
    """

    title: ClassVar[str]

    def added_options(self, plugins: PluginManager) -> Iterable[click.Option]:
        """The options that plugins bring; of several with one name the first counts, and the command's own before."""
        raise NotImplementedError

    def refuse(self, error: click.NoSuchOption) -> None:
        """Raise a better error for an option that no installed plugin brings, where there is one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption:
            ctx.meta[OPTIONS] = tuple(self._added(ctx))
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            self.refuse(error)
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, and those of plugins where they were looked for."""
        return [*super().get_params(ctx), *ctx.meta.get(OPTIONS, ())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, and below them those of plugins."""
        super().format_options(ctx, formatter)
        rows = [record for option in self._added(ctx) if (record := option.get_help_record(ctx))]
        if rows:
            with formatter.section(self.title):
                formatter.write_dl(rows)

    def _added(self, ctx: click.Context) -> Iterator[click.Option]:
        taken = {name for parameter in self.params for name in parameter.opts}
        with ctx.scope(cleanup=False):
            plugins = current_app().plugins
        for option in self.added_options(plugins):
            if taken.isdisjoint(option.opts):
                taken.update(option.opts)
                yield option
