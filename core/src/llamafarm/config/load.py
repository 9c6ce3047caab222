"""One llamafarm.yaml → one Project. Everything that is wrong with the file is told together, each at its line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from llamafarm.config import handlers, variables
from llamafarm.config.context import Loading
from llamafarm.config.document import read
from llamafarm.config.entries import Entry, build, check_default, missing_variable, with_variants
from llamafarm.config.interpolate import Interpolated, replaced
from llamafarm.config.normalize import normalize
from llamafarm.config.problems import KeyPath, Problems, in_one_line
from llamafarm.config.secrets import hide, mask, mask_error
from llamafarm.config.sections import read_sections
from llamafarm.config.settings import Prompts, Settings
from llamafarm.errors import ConfigError, LlamaFarmError
from llamafarm.paths import data_dir
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.providers.entry import chain
from llamafarm.wire.chat import Message


def load_project(path: Path, plugins: PluginManager, *, environ: Mapping[str, str] = os.environ) -> Project:
    """Read, normalise, fill in and check the configuration at `path`.

    An entry whose provider or variable is not there becomes a BrokenEntry, and the others work. Raises ConfigError with
    every other problem of the file, and PluginError where LF_STRICT_PLUGINS asks for it.
    """
    document = read(path)
    normalize(document)
    values = Interpolated(document, environ)
    hide(values.data, values.secrets)
    enabled = plugins.without(disabled_plugins(document.data))
    loading = Loading(enabled, values, frozenset(values.secrets), Problems(path, document.places))
    loading.plugins.refuse_broken()
    try:
        return _project(loading, environ)
    except LlamaFarmError as error:
        raise mask_error(error, loading.secrets) from error.__cause__


def disabled_plugins(data: dict[str, Any]) -> list[str]:
    """The plugins that a file disables, read before anything of it is checked, since that may import plugins."""
    section = data.get("plugins")
    names = section.get("disabled") if isinstance(section, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _project(loading: Loading, environ: Mapping[str, str]) -> Project:
    values, path = loading.values, loading.problems.file
    for place, message in values.wrong.items():
        loading.problems.add(place, message)
    own = {key: value for key, value in values.data.items() if key in Settings.model_fields}
    settings = loading.checked(Settings, own, ())
    if settings is None:  # the file is refused, but first the chain is checked too
        settings = Settings.model_construct(handler=values.data.get("handler"))
    _check_names(("prompts",), "a prompt set", loading)
    _check_names(("runtime", "models"), "a model entry", loading)
    models = _models(loading)
    sections = read_sections(loading)
    models += sections.entries(models, loading)
    check_default((entry.name for entry in models), loading)
    options = handlers.check_project(settings.handler, loading)
    variables.warn(settings, models, loading)
    _note_missing_elsewhere(loading)
    loading.problems.raise_if_any()
    project = Project(
        name=settings.name or _project_name(path),
        namespace=settings.namespace or _default_namespace(path, environ),
        path=path,
        models=tuple(models),
        default_model=loading.text("runtime", "default_model"),
        prompts={prompts.name: _messages(prompts) for prompts in settings.prompts or ()},
        variables=settings.variables,
        handler=chain(settings.handler),
        handler_options=options,
        sections=sections.values,
        warnings=tuple(mask(warning, loading.secrets) for warning in loading.warnings),
        raw=replaced(values.data, values.written),
        secrets=loading.secrets,
    )
    handlers.check_needs(project, loading)
    sections.check(project, loading)
    loading.problems.raise_if_any()
    return project


def _models(loading: Loading) -> list[Entry]:
    """The model entries, each with those that come with it."""
    models: list[Entry] = []
    for place, fields in loading.mappings("runtime", "models"):
        entry = build(fields, place, loading)
        models += with_variants(entry) if entry is not None else []
    return models


def _check_names(path: tuple[str, ...], what: str, loading: Loading) -> None:
    """Note names in the list at `path` that stand twice, or differ from the key that the user wrote them under."""
    first: dict[str, KeyPath] = {}
    for place, name in loading.names(*path).items():
        own = (*place, "name")
        *above, key = loading.problems.place(place).path
        if tuple(above) == path and isinstance(key, str) and key != name:
            loading.problems.add(own, f"says {name!r}, but its key is {key!r}; leave one out")
        elif first.setdefault(name, own) != own:
            line, _ = loading.problems.place(first[name]).mark
            loading.problems.add(own, f"{what} named {name!r} is already in line {line}")


def _project_name(path: Path) -> str:
    """A name for a project that gives itself none: its folder's, with what a name cannot hold replaced."""
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().parent.name).strip("-._")
    return folder[:100] or "project"


def _default_namespace(path: Path, environ: Mapping[str, str]) -> str:
    """A namespace for a project that names none: its folder's in the data directory, else `default`."""
    place = path.absolute().parent.parent
    return place.name if place.parent == data_dir(environ) / "projects" else "default"


def _messages(prompts: Prompts) -> list[Message]:
    return [cast("Message", message.model_dump(exclude_none=True)) for message in prompts.messages]


def _note_missing_elsewhere(loading: Loading) -> None:
    """A missing variable breaks the entry that uses it; anywhere else, or as a name, it is a problem of the file."""
    entries = [path for path, _ in loading.mappings("runtime", "models")]
    for place, name in loading.values.missing.items():
        if place[:3] not in entries or place[3:] == ("name",):
            loading.problems.add(place, in_one_line(missing_variable(name)))


def refuse_own_address(project: Project, host: str, port: int) -> None:
    """Raise ConfigError where an entry's `base_url` is the address that this very server listens on."""
    from llamafarm.http.address import host_and_port

    for entry in project.models:
        url = getattr(entry, "base_url", None)
        if url is not None and _same_place(host_and_port(url), (host, port)):
            raise ConfigError(
                f"The model {entry.name!r} of {project.key} has this very server as base_url.",
                hint=f"Give the address of its runtime; LlamaFarm itself listens on port {port}.",
            )


_HERE = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def _same_place(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one[1] == other[1] and (one[0] == other[0] or {one[0], other[0].lower()} <= _HERE)
