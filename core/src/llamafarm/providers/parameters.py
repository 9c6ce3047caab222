"""What a provider does with each field of a request: mapped, advisory or refused, never dropped without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamafarm.errors import InvalidRequest
from llamafarm.wire.operations import Operation

IGNORED_HEADER = "X-LF-Ignored"
"""Names the fields that were left out because they have no effect on the answer."""


@dataclass(frozen=True)
class Parameters:
    """How one provider treats the fields of the wire; every field that is not named is mapped.

    advisory: no effect on the answer, so left out and named in `X-LF-Ignored`. refused: a 400. forward_unknown: whether
    fields that the wire does not define go upstream as they are.
    """

    advisory: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    forward_unknown: bool = True

    def apply(
        self, request: Mapping[str, Any], operation: Operation, provider: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the fields to send and the names of those left out. Raises InvalidRequest; null counts as absent."""
        for name, value in request.items():
            refused = name in self.refused or (not self.forward_unknown and name not in operation.fields)
            if refused and value is not None:
                raise InvalidRequest(
                    f"The provider {provider} cannot do {name!r} for {operation.name}.", provider=provider, param=name
                )
        ignored = sorted(name for name, value in request.items() if name in self.advisory and value is not None)
        return {name: value for name, value in request.items() if name not in self.advisory}, ignored


FORWARD_EVERYTHING = Parameters()
