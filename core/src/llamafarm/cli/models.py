"""`lf models`: the model entries, and the models at their runtimes."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import uuid4

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.lazy import LazyGroup
from llamafarm.cli.output import STATES, json_option, json_text, one_line, plain, print_json, print_table, size

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.gateway import Context
    from llamafarm.gateway.models import ModelState, RuntimeModels
    from llamafarm.project import BrokenEntry
    from llamafarm.providers.base import ModelInfo, Progress
    from llamafarm.providers.entry import ModelEntry
    from llamafarm.wire.model import Model

    Entry: TypeAlias = ModelEntry | BrokenEntry

Fact = TypeVar("Fact")
Result = TypeVar("Result")
Work: TypeAlias = "Callable[[RuntimeModels, ModelEntry, Context], Awaitable[Result]]"

STATUS_SECONDS = 5.0
"""How long a runtime may take to say how one model is."""

provider_option = click.option(
    "--provider", "-p", metavar="PROVIDER", help="Whose model it is, where NAME is the runtime's own id."
)


@click.group(cls=LazyGroup, prefix="models.")
def models() -> None:
    """The models of this project, and those that its runtimes have.

    NAME is a model entry of llamafarm.yaml, or a runtime's own id with `--provider`, which needs no llamafarm.yaml:

    \b
    lf models pull qwen3:8b --provider ollama
    """


@models.command("list", short_help="The model entries, and how each is at its runtime.")
@json_option
def list_(as_json: bool) -> None:
    """List the model entries: which is the default, who executes them, and how each is there. Nothing is started."""
    app = current_app()
    states = app.run(_states)
    if as_json:
        print_json([{**state.fields, **row, "reachable": state.reachable} for row, _, state in states])
    else:
        _print_states(
            (row["id"] + (" (default)" if row["default"] else ""), entry, state) for row, entry, state in states
        )
    app.warn()


@models.command(short_help="Have a runtime fetch a model.")
@click.argument("name")
@provider_option
@click.option("--json", "as_json", is_flag=True, help="Print each step as a line of JSON.")
def pull(name: str, provider: str | None, as_json: bool) -> None:
    """Have the runtime of NAME fetch it, where it is not there yet. What was broken off goes on where it was."""
    app = current_app()
    # Ended by SIGTERM as by Ctrl-C, so that the work of the runtime ends too.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        progress = _print_step if as_json else None
        entry, _ = _with_model(app, name, provider, lambda models, *asked: models.pull(*asked), progress)
    except KeyboardInterrupt:
        click.echo(f"Stopped. `{_again(app, name, provider)}` goes on where it was.", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        click.echo(json_text({"id": name, "object": "model", "pulled": True}))
    else:
        of = "" if entry.name == entry.model else f" ({entry.model})"
        click.echo(f"{entry.name}{of} is there.")
    app.warn()


def _again(app: App, name: str, provider: str | None) -> str:
    """The command line that goes on, typed in the same folder, with the options that chose the model."""
    words = ["lf", "models", "pull", name]
    words += ["--provider", provider] if provider else []
    words += ["--config", str(app.config)] if app.config else []
    words += ["--cwd", str(app.cwd)] if app.cwd.resolve() != Path.cwd() else []
    return shlex.join(words)


def _print_step(step: Progress) -> None:
    click.echo(json_text(step))


@models.command(short_help="What a runtime says of one model.")
@click.argument("name")
@provider_option
@json_option
def show(name: str, provider: str | None, as_json: bool) -> None:
    """Show what the runtime of NAME says of it: capabilities, context length, size, memory. A service is started."""
    app = current_app()
    entry, info = _with_model(app, name, provider, lambda models, *asked: models.show(*asked))
    if as_json:
        from llamafarm.gateway.models import info_fields

        print_json({**_about(entry), **info_fields(info)})
    else:
        rows = [*_about(entry).items(), *_facts(info)]
        width = max(len(key) for key, _ in rows) + 2
        for key, text in rows:
            click.echo(f"{plain(key)}:".ljust(width) + plain(text))
    app.warn()


def _about(entry: Entry) -> dict[str, str]:
    return {"name": entry.name, "provider": entry.provider, "model": entry.model}


def _facts(info: ModelInfo) -> Iterator[tuple[str, str]]:
    """Each fact with its name; what the runtime does not tell is `unknown`."""
    yield "capabilities", _told(info.features, lambda features: ", ".join(sorted(features)) or "none")
    if info.context_length is not None or info.features is None:  # else it is no model that reads tokens
        yield "context length", _told(info.context_length, "{:,} tokens".format)
    yield "size", _told(info.size_bytes, size)
    yield "loaded", _told(info.loaded, _yes)
    yield "memory", "none" if info.loaded is False and info.memory_bytes is None else _told(info.memory_bytes, size)
    yield "downloaded", _told(info.downloaded, _yes)
    known = {field.name for field in fields(info)}  # some runtimes say these again in their own answer
    for key, value in info.details.items():
        if key not in known:
            yield from _rows(key.replace("_", " "), value)


def _rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """What a runtime says under one name: a row for each field of an object; none where it says nothing."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _rows(f"{name} {key.replace('_', ' ')}", inner)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield from [(name, ", ".join(value))] if value else []
    elif isinstance(value, bool):
        yield name, _yes(value)
    elif isinstance(value, int):
        yield name, f"{value:,}"
    elif value not in (None, ""):
        yield name, value if isinstance(value, str) else json_text(value)


def _told(fact: Fact | None, text: Callable[[Fact], str]) -> str:
    return "unknown" if fact is None else text(fact)


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


@models.command(short_help="Which models are there, and which are in memory.")
@click.argument("name", required=False)
@provider_option
@json_option
def status(name: str | None, provider: str | None, as_json: bool) -> None:
    """Show which models of this project are there and which are in memory, or only NAME. Nothing is started.

    With NAME, exit code 0 where its runtime has it and 1 where not.
    """
    app = current_app()
    if provider and not name:
        raise click.UsageError("--provider says whose model NAME is: give a NAME too.")
    rows: list[tuple[Entry, ModelState]] = (
        [_with_model(app, name, provider, _state)] if name else [(entry, state) for _, entry, state in app.run(_states)]
    )
    if as_json:
        found = [{**_about(entry), **state.fields} for entry, state in rows]
        print_json(found[0] if name else found)
    else:
        _print_states((entry.name, entry, state) for entry, state in rows)
    app.warn()
    if name and not rows[0][1].there:
        raise click.exceptions.Exit(1)


async def _states(farm: Farm) -> list[tuple[Model, Entry, ModelState]]:
    states = await farm.gateway.runtime_models.states(farm.project, timeout=STATUS_SECONDS)
    return list(zip(farm.models(), farm.project.models, states, strict=True))


async def _state(models: RuntimeModels, entry: ModelEntry, _: Context) -> ModelState:
    return await models.state(entry, timeout=STATUS_SECONDS)


def _print_states(rows: Iterable[tuple[str, Entry, ModelState]]) -> None:
    heads = ["NAME", "PROVIDER", "MODEL", "STATE", "SIZE", "MEMORY", "CONTEXT", ""]
    print_table(heads, [_cells(*row) for row in rows], only_filled=True)


def _cells(name: str, entry: Entry, state: ModelState) -> list[str]:
    info = state.info
    files = size(info.size_bytes) if info and info.size_bytes is not None else ""
    memory = size(info.memory_bytes) if info and info.memory_bytes is not None else ""
    length = f"{info.context_length:,}" if info and info.context_length is not None else ""
    word = STATES.get(state.state, state.state)
    return [name, entry.provider, entry.model, word, files, memory, length, _detail(state)]


def _detail(state: ModelState) -> str:
    """What to do, of a model that is missing, which its row says already; else why it is as it is."""
    lines = state.detail.splitlines()
    return one_line(lines[-1] if lines and state.state == "missing" else state.detail)


@models.command(short_help="Delete a model at its runtime.")
@click.argument("name")
@provider_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def rm(name: str, provider: str | None, yes: bool) -> None:
    """Delete the files of NAME at its runtime. Its model entry stays in llamafarm.yaml."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: give --yes to delete the model.")
    app = current_app()
    if not yes:
        entry, state = _with_model(app, name, provider, _state)
        known = f", {size(state.info.size_bytes)}" if state.info and state.info.size_bytes is not None else ""
        if not click.confirm(plain(f"Delete {entry.own_files}{known}, of {entry.provider}?"), err=True):
            click.echo("Nothing was deleted.", err=True)
            raise click.exceptions.Exit(1)
    _with_model(app, name, provider, lambda models, *asked: models.remove(*asked))
    click.echo(f"Deleted {name}.")
    app.warn()


def _with_model(
    app: App, name: str, provider: str | None, work: Work[Result], progress: Callable[[Progress], None] | None = None
) -> tuple[ModelEntry, Result]:
    """Do `work` with the model that is meant; return its entry and the result. Progress is shown unless it is taken."""
    from llamafarm.cli.progress import ProgressLine
    from llamafarm.gateway import Context

    async def done(farm: Farm) -> tuple[ModelEntry, Result]:
        models = farm.gateway.runtime_models
        entry = models.named(farm.project, name, provider)
        with ProgressLine() as line:
            return entry, await work(models, entry, Context(uuid4().hex, progress=progress or line))

    return app.run(done, app.project_or_none)
