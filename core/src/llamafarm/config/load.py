"""One llamafarm.yaml → one Project. Everything that is wrong with the file is told together, each at its line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from llamafarm.config import entries, handlers
from llamafarm.config.context import Loading
from llamafarm.config.document import Document, read
from llamafarm.config.interpolate import Interpolated, interpolate
from llamafarm.config.normalize import Part, one_form, prompt_sets
from llamafarm.config.normalize import entries as entry_parts
from llamafarm.config.problems import Problems, in_one_line
from llamafarm.config.secrets import literal_secrets, mask
from llamafarm.config.settings import Prompts, Settings
from llamafarm.config.words import unknown_key
from llamafarm.errors import ConfigError, LlamaFarmError, PluginError
from llamafarm.paths import data_dir
from llamafarm.plugins import catalogue
from llamafarm.plugins.blame import blaming
from llamafarm.plugins.manager import PluginManager
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.project import BrokenEntry, Project, PromptSet
from llamafarm.providers.entry import chain
from llamafarm.records import Section
from llamafarm.wire.chat import Message


def load_project(path: Path, plugins: PluginManager, *, environ: Mapping[str, str] = os.environ) -> Project:
    """Read, fill in, normalise and check the configuration at `path`.

    An entry whose provider or variable is not there becomes a BrokenEntry, and the others work. Raises ConfigError with
    every other problem of the file, and PluginError where LF_STRICT_PLUGINS asks for it.
    """
    document = read(path)
    values = interpolate(document, environ)
    secrets = frozenset(values.secrets | literal_secrets(values.data))
    problems = Problems(document.path, document.marks)
    loading = Loading(plugins.without(disabled_plugins(document.data)), values, problems)
    loading.plugins.refuse_broken()
    try:
        return _project(document, values, loading, secrets, environ)
    except LlamaFarmError as error:
        raise _masked(error, secrets) from error.__cause__


def disabled_plugins(data: dict[str, Any]) -> list[str]:
    """The plugins that a file disables, read before anything of it is checked, since that may import plugins."""
    section = data.get("plugins")
    names = section.get("disabled") if isinstance(section, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _project(
    document: Document, values: Interpolated, loading: Loading, secrets: frozenset[str], environ: Mapping[str, str]
) -> Project:
    data = values.data
    for place, message in values.wrong.items():
        loading.problems.add(place, message)
    own = {key: value for key, value in data.items() if key in Settings.model_fields}
    settings = loading.checked(Settings, own, ()) or Settings()
    prompts = _prompts(data.get("prompts"), loading)
    parts = entry_parts(data.get("runtime"), loading.problems)
    built = [(part, entries.build(part, loading)) for part in parts]
    models = [(part, entry) for part, entry in built if entry is not None]
    entries.check_prompts(models, {one.name for one in prompts}, loading)
    default = entries.check_default(parts, data.get("runtime"), loading)
    options = handlers.project_options(data.get("handlers"), loading)
    handlers.check_project_chain(settings.handler, loading)
    sections = _sections(data, loading)
    _note_missing_elsewhere(parts, loading)
    _note_broken(models, loading)
    loading.problems.raise_if_any()
    for _, entry in models:
        if isinstance(entry, BrokenEntry):
            _masked(entry.error, secrets)
    return Project(
        name=settings.name or _project_name(document.path),
        namespace=settings.namespace or _default_namespace(document.path, environ),
        path=document.path,
        models=tuple(entry for _, entry in models),
        default_model=default,
        prompts=prompts,
        handler=chain(settings.handler),
        handler_options=options,
        sections=sections,
        warnings=tuple(mask(warning, secrets) for part, entry in models for warning in _warnings(part, entry, loading)),
        raw=one_form(values.shown, loading.problems),
        secrets=secrets,
    )


def _project_name(path: Path) -> str:
    """A name for a project that gives itself none: its folder's, with what a name cannot hold replaced."""
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().parent.name).strip("-._")
    return folder[:100] or "project"


def _default_namespace(path: Path, environ: Mapping[str, str]) -> str:
    """A namespace for a project that names none: its folder's in the data directory, else `default`."""
    place = path.absolute().parent.parent
    return place.name if place.parent == data_dir(environ) / "projects" else "default"


def _prompts(data: Any, loading: Loading) -> tuple[PromptSet, ...]:
    """The prompt sets, in the order of the file."""
    found = []
    for part in prompt_sets(data, loading.problems):
        checked = loading.check(Prompts, part.data, part.path)
        if isinstance(checked, Prompts):
            messages = (cast("Message", one.model_dump(exclude_none=True)) for one in checked.messages)
            found.append(PromptSet(checked.name, tuple(messages)))
            continue
        for place, message in checked:
            written = place[1:] if part.short and place[:1] == ("messages",) else place
            loading.problems.add((*part.path, *written), message)
    return tuple(found)


def _sections(data: dict[str, Any], loading: Loading) -> dict[str, BaseModel]:
    """The sections that plugins brought, validated; note those that nobody brought."""
    found: dict[str, BaseModel] = {}
    for key, value in data.items():
        if key in CORE_SECTIONS:
            continue
        try:
            fragment = loading.plugins.fragment(Section(key))
        except PluginError as error:
            loading.problems.add((key,), in_one_line(error))
            continue
        if fragment is None:
            loading.problems.add((key,), _unknown_section(key, loading))
        elif (section := loading.checked(fragment.model, value, (key,))) is not None:
            found[key] = section
    return found


def _unknown_section(key: str, loading: Loading) -> str:
    if remedy := catalogue.remedy("section", key):
        return f"this section belongs to a plugin that is not installed. {remedy}"
    added = (one.at.key for one in loading.plugins.fragments() if isinstance(one.at, Section))
    broken = "".join(f"; it may belong to a plugin that does not work: {one}" for one in loading.plugins.warnings)
    return unknown_key(key, (*CORE_SECTIONS, *added)) + broken


def _note_missing_elsewhere(parts: list[Part], loading: Loading) -> None:
    """A missing variable breaks the entry that uses it; anywhere else it is a problem of the file."""
    within = {(*part.path, *place) for part in parts for place in loading.missing_below(part.path)}
    outside = {(*part.path, key) for part in parts for key in ("name", "default_model")}
    for place, name in loading.values.missing.items():
        if place not in within - outside:
            loading.problems.add(place, in_one_line(entries.missing_variable(name)))


def _warnings(part: Part, entry: entries.Entry, loading: Loading) -> list[str]:
    """What an entry says and nobody does."""
    if isinstance(entry, BrokenEntry):
        return []
    with blaming(f"The provider {entry.provider!r}", PluginError):
        remarks = [*handlers.remarks(entry, loading), *entry.remarks()]
    return [loading.problems.located((*part.path, key), f"{message}.") for key, message in remarks]


def _note_broken(models: list[tuple[Part, entries.Entry]], loading: Loading) -> None:
    """Tell what is wrong with broken entries too where the file is refused anyway, so that one run shows everything."""
    if not loading.problems.found:
        return
    for part, entry in models:
        if isinstance(entry, BrokenEntry):
            loading.problems.add_located((*part.path, "provider"), in_one_line(entry.error))


def _masked(error: LlamaFarmError, secrets: frozenset[str]) -> LlamaFarmError:
    """The same error without a secret in it."""
    error.message = mask(error.message, secrets)
    error.hint = mask(error.hint, secrets) if error.hint else None
    error.args = (error.message,)
    return error


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
