"""The tables of docs/providers.md: what the official providers can do, and what becomes of each field there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from llamafarm.plugins.manager import PluginManager
from llamafarm.providers.base import operations
from llamafarm.providers.parameters import FORWARD_EVERYTHING, Field, Parameters
from llamafarm.records import ProviderSpec
from llamafarm.wire.operations import OPERATIONS, Operation
from llamafarm_openai_compat.profile import Profile
from llamafarm_openai_compat.profiles import PROFILES
from llamafarm_universal.parameters import RUNTIME

PROVIDERS = ("ollama", "lemonade", "openai", "universal")
MODELS = {"pull": "fetch a model (`lf models pull NAME`)", "remove": "delete a model (`lf models rm NAME`)"}
NONE = "–"
_FIELD_ORDER = {name: at for at, name in enumerate(("model", "messages", "prompt", "input", "stream"))}


class Official:
    """One official provider: its record, and its methods."""

    def __init__(self, spec: ProviderSpec) -> None:
        entry = spec.entry.model_validate({"name": "table", "provider": spec.name, "model": "table"})
        provider = spec.connect(spec.endpoint(entry))
        asyncio.run(provider.aclose())
        self.spec = spec
        self.kind = type(provider)
        self.operations = operations(self.kind)

    @property
    def parameters(self) -> Parameters:
        if self.spec.name == "universal":
            return RUNTIME
        return self.spec.parameters or FORWARD_EVERYTHING

    def fates(self, name: str) -> dict[Operation, Field]:
        """What becomes of a field, by the operations that have it and that this provider can do."""
        return {row: self.parameters.of(name, row) for row in self.operations if name in row.fields}


def official() -> list[Official]:
    """The official providers, made without a network."""
    manager = PluginManager(environ={})
    return [Official(manager.provider(name)) for name in PROVIDERS]


def abilities(_: str | None) -> str:
    """Operation × provider, and what each can do with models."""
    found = official()
    rows = [(row.name, *("yes" if row in one.operations else NONE for one in found)) for row in OPERATIONS]
    rows += [
        (said, *("yes" if callable(getattr(one.kind, method, None)) else NONE for one in found))
        for method, said in MODELS.items()
    ]
    return table(("operation", *(one.spec.name for one in found)), rows)


def fields(_: str | None) -> str:
    """Field × provider: mapped, advisory or refused."""
    found = official()
    rows = [(f"`{name}`", *(_cell(one.fates(name)) for one in found)) for name in field_names()]
    return table(("field", *(one.spec.name for one in found)), rows)


def field_names() -> list[str]:
    """Every field of the wire, each once, in the order of the operations."""
    names = {name: None for row in OPERATIONS for name in (*row.required, *row.request.__annotations__)}
    return sorted(names, key=lambda name: _FIELD_ORDER.get(name, len(_FIELD_ORDER)))


def _cell(fates: Mapping[Operation, Field]) -> str:
    """One word; where operations differ, the other ones behind it, by name."""
    by_fate: dict[str, list[str]] = {}
    for row, found in fates.items():
        by_fate.setdefault(found.fate, []).append(row.name)
    if len(by_fate) < 2:
        return next(iter(by_fate), NONE)
    return "; ".join(f"{fate} ({', '.join(rows)})" for fate, rows in by_fate.items())


def notes(provider: str | None) -> str:
    """What a provider says of its fields, where it says something."""
    one = next(one for one in official() if one.spec.name == provider)
    lines = [
        f"- `{name}`{_where(name, rows, one)}, {_fate(found)}: {found.note}"
        for name in field_names()
        for found, rows in _alike(one.fates(name))
        if found.note
    ]
    return "\n".join(lines or ["Every field goes to the server as it is, apart from what its profile says."])


def _alike(fates: Mapping[Operation, Field]) -> list[tuple[Field, list[str]]]:
    """The operations, by name, for each thing that becomes of a field."""
    found: list[tuple[Field, list[str]]] = []
    for row, fate in fates.items():
        rows = next((rows for other, rows in found if other == fate), None)
        if rows is None:
            found.append((fate, [row.name]))
        else:
            rows.append(row.name)
    return found


def _where(name: str, rows: Sequence[str], one: Official) -> str:
    """For which operations, where it is not all that have the field."""
    return "" if len(rows) == len(one.fates(name)) else f" for {', '.join(rows)}"


def _fate(found: Field) -> str:
    taken = ", ".join(f"`{json.dumps(value)}`" for value in found.taken)
    return f"{found.fate} but for {taken}" if taken else found.fate


def servers(_: str | None) -> str:
    """The servers that the provider openai knows."""
    head = ("`profile:`", "server", "structured output", "left out", "refused", "thoughts stand in")
    return table(head, [_server(profile) for profile in PROFILES])


def _server(profile: Profile) -> tuple[str, ...]:
    return (
        f"`{profile.name}`",
        profile.title,
        profile.structured.note,
        _names(profile.parameters, "advisory"),
        _names(profile.parameters, "refused"),
        _code(profile.reasoning),
    )


def _names(parameters: Parameters, fate: str) -> str:
    """The fields of that fate, each once, whatever the operation."""
    short = (name.rpartition(".")[2] for name, found in parameters.fields.items() if found.fate == fate)
    return _code(dict.fromkeys(short))


def sources(_: str | None) -> str:
    """Where what is said of each server is known from."""
    return "\n".join(f"- {profile.title}: {profile.source}." for profile in PROFILES)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or NONE


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


PARTS: dict[str, Callable[[str | None], str]] = {
    "abilities": abilities,
    "fields": fields,
    "notes": notes,
    "servers": servers,
    "sources": sources,
}
