"""The top-level sections that plugins add to llamafarm.yaml, and the model entries that come with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from llamafarm.config.context import Loading
from llamafarm.config.entries import Entry, build, with_variants
from llamafarm.config.problems import KeyPath, in_one_line
from llamafarm.config.words import unknown_key
from llamafarm.errors import PluginError
from llamafarm.plugins import catalogue
from llamafarm.plugins.blame import blaming
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.records import ConfigFragment, Section

Told = TypeVar("Told")


@dataclass(frozen=True)
class Sections:
    """The sections of a file, validated, and the fragments that they are of."""

    values: Mapping[str, BaseModel]
    fragments: Mapping[str, ConfigFragment]

    def entries(self, models: Sequence[Entry], loading: Loading) -> list[Entry]:
        """The model entries that come with them; note those that are wrong, or called as another one is."""
        added: list[Entry] = []
        own = [entry for entry in models if isinstance(entry, ModelEntry)]
        for key, fragment in self.fragments.items():
            if fragment.entries is not None:
                for path, fields in self._told(key, partial(fragment.entries, self.values[key], own), loading):
                    added += _entry(fields, (key, *path), [*models, *added], loading)
        return added

    def check(self, project: Project, loading: Loading) -> None:
        """Note what sections need of the rest of the file and do not have."""
        for key, fragment in self.fragments.items():
            if fragment.check is not None:
                for path, lack in self._told(key, partial(fragment.check, self.values[key], project), loading):
                    loading.problems.add((key, *path), lack)

    def _told(self, key: str, ask: Callable[[], Iterable[Told]], loading: Loading) -> list[Told]:
        """What a plugin says of its section; that it fails is a problem of the section."""
        try:
            with blaming(f"The section {key!r}", PluginError):
                return list(ask())
        except PluginError as error:
            loading.problems.add((key,), in_one_line(error))
            return []


def _entry(fields: Mapping[str, Any], place: KeyPath, others: Sequence[Entry], loading: Loading) -> list[Entry]:
    """The entry of these fields, and those that come with it."""
    if any(fields.get("name") == other.name for other in others):
        loading.problems.add(place, f"brings a model {fields.get('name')!r}, and there is one of that name")
        return []
    entry = build({**fields, "default": False}, place, loading)
    return [] if entry is None else with_variants(entry)


def read_sections(loading: Loading) -> Sections:
    """The sections that plugins brought, validated; note those that nobody brought."""
    values: dict[str, BaseModel] = {}
    fragments: dict[str, ConfigFragment] = {}
    for key, value in loading.values.data.items():
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
            values[key], fragments[key] = section, fragment
    return Sections(values, fragments)


def _unknown_section(key: str, loading: Loading) -> str:
    if remedy := catalogue.remedy("section", key):
        return f"this section belongs to a plugin that is not installed. {remedy}"
    added = (one.at.key for one in loading.plugins.fragments() if isinstance(one.at, Section))
    broken = "".join(f"; it may belong to a plugin that does not work: {one}" for one in loading.plugins.warnings)
    return unknown_key(key, (*CORE_SECTIONS, *added)) + broken
