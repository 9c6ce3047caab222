"""The words in which trouble with plugins is told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from llamafarm.errors import PluginError
from llamafarm.plugins import catalogue
from llamafarm.plugins.catalogue import Kind
from llamafarm.plugins.registration import name_of

if TYPE_CHECKING:
    from llamafarm.plugins.discovery import Candidate
    from llamafarm.plugins.status import AnyRecord, Loaded, PluginStatus

_SOLVE = "uninstall one of them, or name its distribution in `plugins.disabled`"


def warning(row: PluginStatus) -> str:
    """One line about a plugin that does not work."""
    return f"plugin {row.name!r} ({row.distribution} {row.version}): {row.status}: {row.cause}"


def broken(row: PluginStatus) -> str:
    """Why something that needs this plugin cannot be used."""
    who = f"the plugin {row.name!r} ({row.distribution} {row.version})"
    said = {"disabled": "is disabled", "incompatible": "does not fit this LlamaFarm", "failed": "cannot be loaded"}
    return f"{who[0].upper()}{who[1:]} {said.get(row.status, 'is in conflict')}: {row.cause}."


def conflict(kind: str, name: str, owners: Sequence[Loaded]) -> str:
    """Two plugins bring what was asked for."""
    who = _and(one.candidate.origin for one in owners)
    return f"The {kind} {name!r} is brought by {who}: {_SOLVE}."


def namesakes(candidate: Candidate, others: Sequence[Candidate]) -> str:
    """Two distributions have a plugin of one name."""
    who = _and([candidate.origin, *(one.origin for one in others)])
    return f"{who} each have a plugin named {candidate.name!r}: {_SOLVE}"


def rivals(pairs: Sequence[tuple[AnyRecord, Loaded]]) -> str:
    """What else brings the same names as this plugin."""
    return "; ".join(f"{name_of(record)!r} is also brought by {rival.candidate.origin}" for record, rival in pairs)


def unknown(kind: Kind, name: str, known: Sequence[str], failed: Sequence[PluginStatus]) -> PluginError:
    """Nothing that is installed brings it: say what would, or what is spelt nearly so, and what there is."""
    if remedy := catalogue.remedy(kind, name):
        return PluginError(f"The {kind} {name!r} is not installed.", hint=remedy, code="plugin_not_installed")
    article = "an" if kind[0] in "aeiou" else "a"
    message = f"No plugin brings {article} {kind} {name!r}."
    if kind == "provider" and (served := catalogue.served_by(name)):
        return PluginError(message, hint=_served(name, *served, known), code="plugin_not_installed")
    official = {one for one in catalogue.names(kind) if one not in known}
    near = difflib.get_close_matches(name, [*known, *official], n=1)
    hints = (
        [f"Did you mean {near[0]!r}?{_install(kind, near[0], [*known, *(row.name for row in failed)])}"] if near else []
    )
    hints.append(f"Installed: {', '.join(sorted(known)) or 'none'}.")
    hints += [f"It may belong to a plugin that does not work: {warning(row)}." for row in failed]
    return PluginError(message, hint=" ".join(hints), code="plugin_not_installed")


def _served(name: str, provider: str, base_url: str | None, known: Sequence[str]) -> str:
    """What to write for something that a provider serves under another name."""
    address = f" and `base_url: {base_url}`" if base_url else ""
    return f"{name} is served by `provider: {provider}`{address}.{_install('provider', provider, known)}"


def misnamed(variable: str, name: str, called: Sequence[Candidate], installed: Sequence[str]) -> list[str]:
    """What to say about a name in `variable` that disables nothing: the core's own, or one spelt nearly right."""
    if any(not one.is_core for one in called):
        return []
    if called:
        return [f"{variable} names {name!r}, which is the core's own and cannot be disabled"]
    near = difflib.get_close_matches(name, installed, n=1)
    return [f"{variable} names {name!r}, which is not installed; did you mean {near[0]!r}?"] if near else []


def _install(kind: Kind, name: str, known: Sequence[str]) -> str:
    return "" if name in known else f" It is not installed. {catalogue.remedy(kind, name)}."


def _and(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
