"""What a plugin's distribution must tell those who install it, and those who write code with it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from llamafarm.plugins.discovery import CORE, Candidate, canonical
from packaging.requirements import Requirement

LOWER_BOUNDS = frozenset({">=", ">", "~=", "==", "==="})


def missing_metadata(candidate: Candidate) -> Iterator[str]:
    """What the distribution does not say, in the words of pyproject.toml."""
    distribution = candidate.entry_point.dist
    if distribution is None:
        yield "it belongs to no distribution"
        return
    told = distribution.metadata
    fields = {"Name": "name", "Version": "version", "Summary": "description", "Requires-Python": "requires-python"}
    yield from (f"`{key}` is missing" for field, key in fields.items() if not told.get(field))
    classified = any(line.startswith("License ::") for line in told.get_all("Classifier") or ())
    if not (told.get("License-Expression") or told.get("License") or classified):
        yield "`license` is missing"
    if not candidate.is_core and not _bounded(distribution.requires or []):
        yield 'it requires no `llamafarm` with a lower bound, such as "llamafarm>=0.1"'


def has_type_hints(target: str) -> bool:
    """Whether the module, or a package around it, has a `py.typed` file. target: as in an entry point."""
    parts = target.partition(":")[0].split(".")
    packages = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(Path(folder, "py.typed").is_file() for name in packages for folder in _folders(name))


def _folders(package: str) -> list[str]:
    spec = find_spec(package)
    return [*(spec.submodule_search_locations or ())] if spec else []


def _bounded(requirements: list[str]) -> bool:
    core = [one for one in map(Requirement, requirements) if canonical(one.name) == CORE]
    always = [one for one in core if one.marker is None or one.marker.evaluate({"extra": ""})]
    return any(part.operator in LOWER_BOUNDS for one in always for part in one.specifier)
