"""`lf doctor`: checks this machine and this project, and says what to do about each finding."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from llamafarm.cli.app import App, current_app
from llamafarm.cli.output import json_option, one_line, print_json, size
from llamafarm.errors import LlamaFarmError

if TYPE_CHECKING:
    from llamafarm.farm.farm import Farm
    from llamafarm.gateway.models import ModelState

LOW_DISK_BYTES = 5_000_000_000
CHECK_SECONDS = 2.0
PROVIDERS = ("universal", "ollama", "openai")
"""Those that somebody who has none may want first."""

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. todo: what to do, where something is to be done."""

    what: str
    state: State
    text: str
    todo: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check Python, plugins, configuration, providers, devices, data directory and disk.

    Exit code 1 where something is bad.
    """
    app = current_app()
    found = [finding for check in CHECKS for finding in check(app)]
    if as_json:
        print_json(found)
    else:
        for finding in found:
            _print(finding)
    if any(finding.state == "bad" for finding in found):
        raise click.exceptions.Exit(1)


def _print(finding: Finding) -> None:
    mark = {"ok": click.style("ok  ", fg="green"), "note": "note", "bad": click.style("bad ", fg="red")}[finding.state]
    click.echo(f"{mark}  {finding.what}: {finding.text}")
    if finding.todo:
        click.echo(f"      -> {finding.todo}")


def _python(_app: App) -> Iterator[Finding]:
    import platform

    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _plugins(app: App) -> Iterator[Finding]:
    from llamafarm.plugins.catalogue import pip_command

    for row in app.plugins.statuses():
        what, text = f"plugin {row.name}", f"{row.distribution} {row.version} is {row.status}"
        if row.status in ("active", "disabled"):
            yield Finding(what, "ok" if row.status == "active" else "note", text)
        else:
            update = f"Update or remove it: {pip_command(row.distribution)} --upgrade"
            todo = f"{update}; or disable it: LF_DISABLE_PLUGINS={row.name}"
            yield Finding(what, "bad", f"{text}: {row.cause}", todo)
    if not app.plugins.providers():
        yield Finding("providers", "bad", "no plugin that brings a provider works here", _install())


def _install() -> str:
    from llamafarm.plugins import catalogue

    wanted = [catalogue.requirement("provider", name) or name for name in PROVIDERS]
    return "Install one of: " + "; ".join(map(catalogue.pip_command, wanted))


def _configuration(app: App) -> Iterator[Finding]:
    if app.config_path is None:
        yield Finding("configuration", "note", "no llamafarm.yaml here", "`lf init` writes one.")
        return
    try:
        project = app.project
    except LlamaFarmError as error:
        yield Finding("configuration", "bad", error.message, error.hint or "`lf config validate` shows every problem.")
        return
    yield Finding("configuration", "ok", f"{project.path}: {project.namespace}/{project.name}")
    yield from (Finding("configuration", "note", one_line(warning)) for warning in project.warnings)
    yield from app.run(_entries)


async def _entries(farm: Farm) -> list[Finding]:
    """How each model is at its runtime. One that LlamaFarm starts need not be up."""
    states = await farm.gateway.runtime_models.states(farm.project, timeout=CHECK_SECONDS)
    return [_entry(entry.name, state) for entry, state in zip(farm.project.models, states, strict=True)]


def _entry(name: str, model: ModelState) -> Finding:
    what = f"model {name}"
    if model.state == "broken":
        return Finding(what, "bad", "its model entry cannot be used", one_line(model.detail))
    if model.state == "missing":
        return Finding(what, "note", "its runtime does not have it", one_line(model.detail))
    if model.state == "stopped":
        return Finding(what, "ok", "not running; its first request starts it")
    return Finding(what, "ok", "reachable") if model.there else Finding(what, "note", model.detail)


def _devices(_app: App) -> Iterator[Finding]:
    """What the machine offers to the Universal Runtime, asked of the driver's own tools so that torch stays out."""
    yield Finding("CPU", "ok", f"{os.cpu_count()} cores")
    if shutil.which("nvidia-smi"):
        yield Finding("NVIDIA GPU", "ok", "driver found")
    else:
        yield Finding("NVIDIA GPU", "note", "none found: models run on CPU")


def _data(app: App) -> Iterator[Finding]:
    folder = app.data
    folder.mkdir(parents=True, exist_ok=True)
    writable = os.access(folder, os.W_OK)
    todo = "" if writable else "Make it writable, or set LF_DATA_DIR to another folder."
    yield Finding("data directory", "ok" if writable else "bad", str(folder), todo)
    free = shutil.disk_usage(folder).free
    low = free < LOW_DISK_BYTES
    todo = "Models take gigabytes: free some space, or set HF_HOME to another disk." if low else ""
    yield Finding("free disk", "note" if low else "ok", size(free), todo)


CHECKS: tuple[Callable[[App], Iterator[Finding]], ...] = (_python, _plugins, _configuration, _devices, _data)
