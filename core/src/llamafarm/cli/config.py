"""`lf init` and `lf config`: llamafarm.yaml written, checked and shown."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import json_option, print_json
from llamafarm.errors import ConfigError, LlamaFarmError


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
def init(path: Path) -> None:
    """Write a commented llamafarm.yaml into the folder PATH (or to the file PATH). It never overwrites."""
    from llamafarm.config import load_project, write_example

    app = current_app()
    written = write_example(app.cwd / path)
    click.echo(f"Wrote {written}.")
    try:
        load_project(written, app.plugins).entry()
    except LlamaFarmError as error:
        click.echo(f"Before you try it: {error}")
    click.echo(f'Try it: lf chat "What is LlamaFarm?"{_place(written, app.cwd)}')


def _place(written: Path, cwd: Path) -> str:
    """The option with which a command finds a file that it would not find by itself."""
    from llamafarm.project import FILE_NAMES

    if written.name not in FILE_NAMES:
        return f" --config {shlex.quote(str(written))}"
    return "" if cwd.is_relative_to(written.parent) else f" --cwd {shlex.quote(str(written.parent))}"


@click.group(cls=LazyGroup, prefix="config.")
def config() -> None:
    """Check and show the configuration."""


@config.command()
def validate() -> None:
    """Check llamafarm.yaml: every problem is shown with its line. Exit code 1 where there is one."""
    from llamafarm.project import BrokenEntry

    app = current_app()
    project = app.project
    app.warn()
    for warning in project.warnings:
        click.echo(f"Warning: {warning}", err=True)
    broken = [entry for entry in project.models if isinstance(entry, BrokenEntry)]
    if broken:
        raise ConfigError("\n".join(f"model {entry.name!r}: {entry.error}" for entry in broken))
    click.echo(f"{project.path}: {project.namespace}/{project.name} is valid; models: {len(project.models)}.")


@config.command()
def schema() -> None:
    """Print the JSON Schema of llamafarm.yaml, with everything that the installed plugins add."""
    from llamafarm.config.json_schema import schema as schema_of

    app = current_app()
    print_json(schema_of(app.plugins))
    app.warn()


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Print the configuration as LlamaFarm understands it, secrets masked."""
    from llamafarm.config import masked

    shown = masked(current_app().project)
    if as_json:
        print_json(shown)
        return
    import yaml

    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False)
