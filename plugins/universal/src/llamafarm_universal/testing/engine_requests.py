"""Contract tests of engines: the operations that an engine brings, as people ask for them over HTTP."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llamafarm_universal.engine import RequestFailed
from llamafarm_universal.server.operations import as_json
from llamafarm_universal.testing.bench import Bench
from llamafarm_universal.testing.engine_case import EngineCase

ANYTHING: tuple[Any, ...] = (None, True, -1, 0.5, 10**400, "", "no such value", "x" * 100_000, [], [None], {}, {"a": 1})
"""Values that a field may have, whoever writes the request."""


class EngineRequests(EngineCase):
    """`works` of the record: what makes a work of a request's fields. An engine without them has nothing to keep."""

    def test_a_request_becomes_a_work_of_its_operation(self) -> None:
        """`requests` has a sample for each operation that the engine brings."""
        brings, tried = set(self.spec.works), set(self.requests)
        assert brings == tried, f"it brings {sorted(brings)}, and `requests` has {sorted(tried)}"
        for operation, fields in self.requests.items():
            given = copy.deepcopy(fields)
            work = self.spec.works[operation](given)
            assert work.operation == operation, f"a request for `{operation}` becomes a work of `{work.operation}`"
            assert given == fields, f"reading a request for `{operation}` has changed its fields"

    def test_an_unknown_field_of_a_request_is_refused(self) -> None:
        """A misspelt field is an error, and not a request without effect."""
        for operation, fields in self.requests.items():
            with pytest.raises(RequestFailed):
                self.spec.works[operation]({**fields, "no_such_field": 1})

    def test_whatever_a_request_says_it_is_done_or_refused(self, bench: Bench) -> None:
        """Each field with each kind of value, and without it: nothing else than RequestFailed is ever raised."""
        for operation, fields in self.requests.items():
            for changed in changes(fields):
                try:
                    asked = bench.start(self.spec.works[operation](changed))
                except RequestFailed:
                    continue
                except Exception as error:
                    shown = {name: value for name, value in changed.items() if fields.get(name) != value}
                    raise AssertionError(f"`{operation}` with {str(shown)[:100]} raises {error!r}") from error
                bench.engine.cancel(asked.request_id)

    def test_the_values_of_its_own_operations_are_said_in_json(self, bench: Bench) -> None:
        """Plain values, dataclasses of them, bytes and blobs."""
        for operation, fields in self.requests.items():
            for end in bench.answer(self.spec.works[operation](copy.deepcopy(fields))).finished:
                try:
                    as_json(end.value)
                except (TypeError, ValueError) as error:
                    raise AssertionError(f"the value of `{operation}` is {end.value!r}: {error}") from error


def changes(fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A request with one field that is another one, or is not there."""
    for name in fields:
        yield {other: value for other, value in fields.items() if other != name}
        for value in ANYTHING:
            yield {**fields, name: value}
