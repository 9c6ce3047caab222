"""The top level beside `runtime`: the core's settings, prompt sets, the sections of plugins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from llamafarm.config.context import Loading
from llamafarm.config.normalize import prompt_sets
from llamafarm.config.problems import in_one_line
from llamafarm.config.settings import Prompts, Settings
from llamafarm.config.words import unknown_key
from llamafarm.errors import PluginError
from llamafarm.paths import data_dir
from llamafarm.plugins import catalogue
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.project import PromptSet
from llamafarm.records import Section
from llamafarm.wire.chat import Message


def settings(data: dict[str, Any], loading: Loading) -> Settings:
    """The core's own keys, validated; the defaults where something is wrong with them."""
    own = {key: value for key, value in data.items() if key in Settings.model_fields}
    return loading.checked(Settings, own, ()) or Settings()


def project_name(path: Path) -> str:
    """A name for a project that gives itself none: its folder's, with what a name cannot hold replaced."""
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().parent.name).strip("-._")
    return folder[:100] or "project"


def default_namespace(path: Path, environ: Mapping[str, str]) -> str:
    """A namespace for a project that names none: its folder's in the data directory, else `default`."""
    place = path.absolute().parent.parent
    return place.name if place.parent == data_dir(environ) / "projects" else "default"


def prompts(data: Any, loading: Loading) -> tuple[PromptSet, ...]:
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


def plugin_sections(data: dict[str, Any], loading: Loading) -> dict[str, BaseModel]:
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
