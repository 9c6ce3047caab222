"""Which plugins are installed, from the metadata of distributions alone: nothing of a plugin is imported here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import importlib_metadata
from importlib_metadata import EntryPoint

from llamafarm.plugins import trace

GROUP = "llamafarm.plugins"
CORE = "llamafarm"
HEADERS = re.compile(r"^(name|version):[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """An installed plugin, not imported. name: its entry point's. target: the module, `package.module[:object]`."""

    name: str
    distribution: str
    version: str
    target: str
    entry_point: EntryPoint = field(repr=False, compare=False)

    @property
    def is_core(self) -> bool:
        """Whether it is the core's own, which cannot be disabled."""
        return canonical(self.distribution) == CORE

    @property
    def origin(self) -> str:
        """Distribution and version, as messages name them."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """The plugin with its distribution and version."""
        return f"{self.name} ({self.origin})"

    @cached_property
    def incompatibility(self) -> str | None:
        """Why the distribution's own requirements do not admit the installed core, or None where they do."""
        distribution = self.entry_point.dist
        return _unmet((distribution.requires or []) if distribution else [])

    def called(self, names: Iterable[str]) -> bool:
        """Whether one of `names` is this plugin's or its distribution's."""
        wanted = {canonical(name) for name in names}
        return canonical(self.name) in wanted or canonical(self.distribution) in wanted


def candidates(group: str = GROUP) -> tuple[Candidate, ...]:
    """Return the entry points of `group`, the core's own first, then by name and distribution.

    A distribution whose metadata cannot be read hides no other.
    """
    with trace.step(f"read the entry points of {group}"):
        found = {
            Candidate(entry_point.name, *_identity(entry_point.dist), entry_point.value, entry_point)
            for entry_point in _entry_points(group)
        }
    return tuple(sorted(found, key=lambda one: (not one.is_core, one.name, canonical(one.distribution))))


def canonical(name: str) -> str:
    """Return a distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _entry_points(group: str) -> Iterable[EntryPoint]:
    try:
        return importlib_metadata.entry_points(group=group)
    except Exception:  # noqa: BLE001 - one distribution's malformed file must not hide all plugins
        return _one_by_one(group)


def _one_by_one(group: str) -> Iterator[EntryPoint]:
    seen: set[str] = set()
    for distribution in importlib_metadata.distributions():
        with suppress(Exception):  # as above: whatever is wrong with it, it is left out
            name, found = canonical(distribution.name), distribution.entry_points.select(group=group)
            if name not in seen:
                seen.add(name)
                yield from found


def _identity(distribution: Any) -> tuple[str, str]:
    """Name and version, read by hand: a parser of whole e-mails would take most of the time of `lf --help`."""
    try:
        head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
        found = {key.lower(): value for key, value in HEADERS.findall(head)}
        name, version = found.get("name") or distribution.name, found.get("version") or distribution.version
        return name or "unknown", version or "unknown"
    except Exception:  # noqa: BLE001 - loading it will say what is wrong with its metadata
        return "unknown", "unknown"


def _unmet(requirements: list[str]) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement

    from llamafarm.version import VERSION

    for line in requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # pip has refused to install it, so it is not about what can be met
        about_core = canonical(requirement.name) == CORE
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if about_core and applies and not requirement.specifier.contains(VERSION, prereleases=True):
            return f"it requires {requirement}, but {CORE} {VERSION} is installed"
    return None
