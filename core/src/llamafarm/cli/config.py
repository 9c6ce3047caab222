"""`lf config`: llamafarm.yaml checked and shown."""

from __future__ import annotations

import click

from llamafarm.cli.app import current_app
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import json_option, print_json
from llamafarm.errors import ConfigError


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
