"""The services that the model entries of a project need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamafarm.project import BrokenEntry
from llamafarm.services.base import Service

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.project import Project


def services_of(project: Project, plugins: PluginManager) -> list[Service]:
    """The services of the project's entries, each once, in the order of the entries. Broken entries have none.

    Of several entries that share one, the first says how it is started, unless the service of another one is `chosen`:
    the user named that entry's model.
    """
    found: dict[str, Service] = {}
    for entry in project.models:
        if isinstance(entry, BrokenEntry):
            continue
        make = plugins.provider(entry.provider).service
        service = make(entry) if make is not None else None
        if service is not None and (service.name not in found or getattr(service, "chosen", False)):
            found[service.name] = service
    return list(found.values())
