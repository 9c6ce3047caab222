"""What a provider does with each field of a request: mapped, advisory or refused, never dropped without a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llamafarm.errors import InvalidRequest, RequestError
from llamafarm.wire.operations import Operation
from llamafarm.wire.validate import LEAST, least

IGNORED_HEADER = "X-LF-Ignored"
"""Names the fields that were left out because they have no effect on the answer."""


def note_ignored(headers: MutableMapping[str, str], names: Iterable[str]) -> None:
    """Add the names of fields that were left out to the headers of an answer, each once."""
    if found := dict.fromkeys([*ignored_by(headers), *names]):
        headers[IGNORED_HEADER] = ", ".join(found)


def ignored_by(headers: Mapping[str, str]) -> list[str]:
    """The names of the fields that were left out, as the headers of an answer say; a LlamaFarm runtime says it too."""
    names = (name.strip() for name in headers.get(IGNORED_HEADER, "").split(","))
    return [name for name in names if name and name.isascii()]


Fate = Literal["mapped", "advisory", "refused"]


@dataclass(frozen=True)
class Field:
    """What becomes of one field of a request.

    mapped: it reaches the runtime. advisory: it has no effect on the answer, so it is left out and named in
    `X-LF-Ignored`. refused: a 400. note: where it goes, or why not. taken: values of a refused field that are taken all
    the same, since they ask for nothing else than what the runtime does anyway. least: the smallest number that the
    runtime takes, where it is another one than the wire's (`llamafarm.wire.validate.LEAST`).
    """

    fate: Fate = "mapped"
    note: str = ""
    taken: tuple[Any, ...] = ()
    least: float | None = None

    def takes(self, value: Any) -> bool:
        """Whether the value is one of `taken`; a number is no flag, though Python has 1 equal True."""
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.taken)


SYNONYMS = (
    frozenset({"max_tokens", "max_completion_tokens"}),
    frozenset({"tools", "functions"}),
    frozenset({"tool_choice", "function_call"}),
)
"""Fields of the wire that say the same: whoever sets one replaces the others."""
NEEDED = {
    "top_logprobs": "logprobs",
    "tool_choice": "tools",
    "function_call": "functions",
    "parallel_tool_calls": "tools",
}
"""Fields that say nothing, and are refused by some servers, where another one is taken away."""

_MAPPED, _ADVISORY, _REFUSED = Field(), Field("advisory"), Field("refused")


@dataclass(frozen=True)
class Parameters:
    """How one provider treats the fields of the wire; every field that is not named is mapped.

    advisory, refused: names of fields. fields: the same with more to say, by the field's name, or by `OPERATION.NAME`
    where it is treated differently there or is none of the wire. forward_unknown: whether fields that the wire does not
    define go upstream as they are. native: those that do where the others do not, by the operation's name: the
    runtime's own. synonyms: groups of fields that say the same, beside `SYNONYMS`. holders: fields whose objects hold
    further fields.
    """

    advisory: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    forward_unknown: bool = True
    fields: Mapping[str, Field] = field(default_factory=dict)
    native: Mapping[str, frozenset[str]] = field(default_factory=dict)
    synonyms: tuple[frozenset[str], ...] = ()
    holders: tuple[str, ...] = ()

    def of(self, name: str, operation: Operation) -> Field:
        """What becomes of a field of an operation."""
        told = self.fields.get(f"{operation.name}.{name}")
        if told is None and name in operation.fields:
            told = self.fields.get(name)
        if told is not None:
            return told
        known = self.forward_unknown or name in operation.fields or name in self._native(operation)
        if name in self.refused or not known:
            return _REFUSED
        return _ADVISORY if name in self.advisory else _MAPPED

    def replaced_by(self, fields: Mapping[str, Any]) -> set[str]:
        """The names of what these fields say, under whichever names, and of what they make meaningless."""
        names = set(fields)
        for holder in self.holders:
            inner = fields.get(holder)
            names.update(inner if isinstance(inner, Mapping) else ())
        for group in (*SYNONYMS, *self.synonyms):
            if not names.isdisjoint(group):
                names |= group
        return names | {name for name, needed in NEEDED.items() if needed in fields and not fields[needed]}

    def check(self, request: Mapping[str, Any], operation: Operation) -> None:
        """Raise RequestError for a number that is smaller than the runtime takes."""
        for name in LEAST.keys() & request.keys():
            if (smallest := self.too_small(name, request[name], operation)) is not None:
                message = f"The field {name!r} must be a whole number of at least {smallest:g}."
                raise RequestError(message, code="invalid_value", param=name)

    def too_small(self, name: str, value: Any, operation: Operation) -> float | None:
        """The smallest number that the runtime takes, where `value` is a smaller one; else None."""
        told = self.of(name, operation).least
        smallest = least(name, operation) if told is None else told
        return smallest if smallest is not None and isinstance(value, int) and value < smallest else None

    def apply(
        self, request: Mapping[str, Any], operation: Operation, provider: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the fields to send and the names of those left out. Raises InvalidRequest; null counts as absent."""
        fates = {name: self.of(name, operation) for name in request}
        for name, value in request.items():
            if fates[name].fate == "refused" and value is not None and not fates[name].takes(value):
                raise self._refusal(name, operation, provider, fates[name])
        advisory = [name for name, found in fates.items() if found.fate == "advisory"]
        ignored = sorted(name for name in advisory if request[name] is not None)
        return {name: value for name, value in request.items() if name not in advisory}, ignored

    def _native(self, operation: Operation) -> frozenset[str]:
        return self.native.get(operation.name, frozenset())

    def _refusal(self, name: str, operation: Operation, provider: str, found: Field) -> InvalidRequest:
        why = f": {found.note}" if found.note else ""
        near = difflib.get_close_matches(name, self._native(operation) | operation.fields, 1)
        hint = f"Did you mean {near[0]!r}?" if near and name not in operation.fields else None
        message = f"The provider {provider} cannot do {name!r} for {operation.name}{why}."
        return InvalidRequest(message, provider=provider, param=name, hint=hint)


FORWARD_EVERYTHING = Parameters()
