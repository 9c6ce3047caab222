"""`lf init`: a llamafarm.yaml that works as it is, with the sections of plugins that are asked for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llamafarm.cli.added_options import AddedOptionsCommand
from llamafarm.cli.app import current_app
from llamafarm.errors import LlamaFarmError, PluginError

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.records import AtHand, ConfigFragment, Example

SECTIONS = "llamafarm.init_sections"
"""Where the context of a command keeps the sections that are asked for."""
QUESTION = 'lf chat "What is LlamaFarm?"'


class InitCommand(AddedOptionsCommand):
    """`lf init`, with an option `--KEY` for each section of a plugin that has an example."""

    title = "Sections of plugins"

    def added_options(self, plugins: PluginManager) -> Iterator[click.Option]:
        for fragment in plugins.fragments():
            if fragment.example is not None:
                yield _option(fragment)

    def refuse(self, error: click.NoSuchOption) -> None:
        """Say which distribution brings a section that is not there."""
        from llamafarm.plugins import catalogue

        key = error.option_name.removeprefix("--").replace("-", "_")
        if remedy := catalogue.remedy("section", key):
            raise PluginError(f"The section {key!r} belongs to a plugin that is not installed.", hint=remedy)


@click.command(cls=InitCommand)
@click.argument("path", type=click.Path(path_type=Path), default=".")
def init(path: Path) -> None:
    """Write a commented llamafarm.yaml into the folder PATH (or to the file PATH). It never overwrites."""
    from llamafarm.config import load_project, write_example

    app = current_app()
    examples = [_example(fragment, app.plugins) for fragment in click.get_current_context().meta.get(SECTIONS, ())]
    written = write_example(app.cwd / path, *(example.text for example in examples))
    click.echo(f"Wrote {written}.")
    try:
        load_project(written, app.plugins).entry()
    except LlamaFarmError as error:
        click.echo(f"Before you try it: {error}")
    for example in examples:
        if example.remark:
            click.echo(example.remark)
    place = _place(written, app.cwd)
    for command in [command for example in examples for command in example.try_it] or [QUESTION]:
        click.echo(f"Try it: {command}{place}")


def _option(fragment: ConfigFragment) -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            ctx.meta.setdefault(SECTIONS, []).append(fragment)

    key = fragment.at.key
    text = f"With the section `{key}`, ready for use."
    return click.Option([f"--{key.replace('_', '-')}"], is_flag=True, help=text, expose_value=False, callback=remember)


def _example(fragment: ConfigFragment, plugins: PluginManager) -> Example:
    from llamafarm.plugins.blame import blaming

    assert fragment.example is not None
    with blaming(f"The section {fragment.at.key!r}", PluginError):
        return fragment.example(_at_hand(plugins))


def _at_hand(plugins: PluginManager) -> AtHand:
    """Asks every provider for a model that is on this machine already."""
    from llamafarm.plugins.blame import blaming
    from llamafarm.wire.operations import Operation

    def find(operation: Operation) -> tuple[str, str] | None:
        for name, spec in plugins.providers().items():
            with blaming(f"The provider {name!r}", PluginError):
                if spec.at_hand is not None and (model := spec.at_hand(operation)):
                    return name, model
        return None

    return find


def _place(written: Path, cwd: Path) -> str:
    """The option with which a command finds a file that it would not find by itself."""
    from llamafarm.project import FILE_NAMES

    if written.name not in FILE_NAMES:
        return f" --config {shlex.quote(str(written))}"
    return "" if cwd.is_relative_to(written.parent) else f" --cwd {shlex.quote(str(written.parent))}"
