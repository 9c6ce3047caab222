"""The services of a project: one for each name, in the order of the entries."""

from __future__ import annotations

from types import SimpleNamespace

from llamafarm.errors import ConfigError
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.services.of import services_of


class Plugins:
    def provider(self, name: str) -> SimpleNamespace:
        if name == "remote":
            return SimpleNamespace(service=None)
        return SimpleNamespace(service=lambda entry: SimpleNamespace(name=entry.base_url) if entry.base_url else None)


def entry(name: str, provider: str = "local", base_url: str | None = None) -> ModelEntry:
    return ModelEntry(name=name, provider=provider, model=name, base_url=base_url)


def test_each_service_is_listed_once_and_entries_without_one_are_left_out():
    models = (
        entry("a", base_url="one"),
        entry("b", base_url="two"),
        entry("c", base_url="one"),
        entry("d"),
        entry("e", "remote"),
        BrokenEntry("f", "gone", "m", ConfigError("broken")),
    )
    project = Project("p", "default", None, models)
    assert [service.name for service in services_of(project, Plugins())] == ["one", "two"]
