"""The operations of a database as they travel between processes: arguments and answers as JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from llamafarm.errors import LlamaFarmError, UsageError
from pydantic import TypeAdapter

from llamafarm_rag.database.blocking import OPERATIONS, BlockingDatabase
from llamafarm_rag.errors import DatabaseError, DimensionMismatch, StoreDamaged


@dataclass(frozen=True)
class Call:
    """One operation. parameters: in their order."""

    name: str
    parameters: Mapping[str, TypeAdapter[Any]]
    answer: TypeAdapter[Any]

    def dump_arguments(self, arguments: Sequence[Any]) -> bytes:
        """The arguments, in the order of the parameters."""
        named = zip(self.parameters.items(), arguments, strict=True)
        return _dump({name: adapter.dump_python(argument, mode="json") for (name, adapter), argument in named})

    def load_arguments(self, body: bytes) -> list[Any]:
        """The arguments. Raises ValueError for a body that is none."""
        given = json.loads(body)
        if not isinstance(given, dict) or given.keys() != self.parameters.keys():
            raise ValueError(f"{self.name} takes {', '.join(self.parameters) or 'nothing'}")
        return [adapter.validate_python(given[name]) for name, adapter in self.parameters.items()]

    def dump_answer(self, answer: Any) -> bytes:
        """The answer."""
        return _dump(self.answer.dump_python(answer, mode="json"))

    def load_answer(self, body: bytes) -> Any:
        """The answer. Raises ValueError for a body that is none."""
        return self.answer.validate_python(json.loads(body))


def _call(operation: Callable[..., Any]) -> Call:
    hints = get_type_hints(operation, include_extras=True)
    names = [name for name in inspect.signature(operation).parameters if name != "self"]
    return Call(
        operation.__name__,
        {name: TypeAdapter(hints[name]) for name in names},
        TypeAdapter(hints["return"]),
    )


CALLS = {name: _call(getattr(BlockingDatabase, name)) for name in OPERATIONS}
ERRORS: dict[str, type[LlamaFarmError]] = {
    kind.__name__: kind for kind in (DatabaseError, DimensionMismatch, StoreDamaged, UsageError, LlamaFarmError)
}


def dump_error(error: LlamaFarmError) -> bytes:
    """An error, which the asking process raises again."""
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS)
    facts = {name: getattr(error, name) for name in ("message", "hint", "status", "code", "param")}
    return _dump({"kind": kind, **facts})


def load_error(body: bytes) -> LlamaFarmError:
    """The error. Raises ValueError, TypeError or KeyError for a body that is none."""
    facts = json.loads(body)
    return ERRORS[facts.pop("kind")](facts.pop("message"), **facts)


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
